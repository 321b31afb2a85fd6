//! The struct: its fields and its migrations.

use proc_macro2::TokenStream;
use syn::token::Paren;
use syn::{
    Attribute, Expr, ExprLit, Fields, Ident, ItemStruct, Lit, Path, Visibility, parenthesized,
};

use crate::attr::{Arguments, ungrouped};
use crate::diag::Diagnostics;
use crate::options;
use crate::parse::RawStruct;

use super::Field;
use super::block::{allowed_lints, conditions};

pub struct Object<'a> {
    pub raw: &'a RawStruct,
    pub item: &'a ItemStruct,
    pub name: &'a Ident,
    pub visibility: &'a Visibility,
    pub fields: Vec<Field<'a>>,
    pub migrations: Vec<Expr>,
    /// The path by which the user refers to this framework.
    pub krate: &'a Path,
}

impl<'a> Object<'a> {
    pub fn from_raw(
        diagnostics: &Diagnostics,
        mut arguments: Arguments,
        raw: &'a RawStruct,
        krate: &'a Path,
    ) -> Option<Self> {
        let migrations = arguments
            .take("migrations")
            .and_then(|option| {
                let example = "migrations = [\"CREATE TABLE …\"]";
                match ungrouped(diagnostics.ok_or_report(option.expression(example))?) {
                    Expr::Array(array) => {
                        array
                            .elems
                            .iter()
                            .filter(|migration| is_empty_text(migration))
                            .for_each(|migration| {
                                diagnostics.error(
                                    migration,
                                    "a migration must not be empty\nhelp: write the SQL that it runs, or remove it",
                                );
                            });
                        Some(array.elems)
                    }
                    other => {
                        diagnostics.error(
                            other,
                            format!("`migrations` must be a list of SQL strings, oldest first, for example `{example}`"),
                        );
                        None
                    }
                }
            })
            .unwrap_or_default();
        if let Some(option) = arguments.take("class") {
            diagnostics.error(
                option.key,
                "`class` belongs on the impl block, which exports the class\nhelp: move it to the impl block's `#[durable_object]`",
            );
        }
        arguments.reject_rest(diagnostics, "durable_object", options::OF_STRUCT);

        if let Some(second) = raw.again.first() {
            diagnostics.error(
                second,
                "duplicate `#[durable_object]` attribute\nhelp: write all options in one",
            );
        }
        if let Some(attribute) = raw.serde.first() {
            diagnostics.error(
                attribute,
                "serde attributes have no effect on an object, because its fields are stored one by one\nhelp: `#[stored(key = \"…\")]` renames a field, `#[stored(default = …)]` sets its default",
            );
        }
        let item = &raw.item;
        if !item.generics.params.is_empty() {
            let fix = match item.generics.params.first() {
                Some(syn::GenericParam::Const(_)) => "make the parameter a constant",
                Some(syn::GenericParam::Lifetime(_)) => "own the values",
                _ => "name the types",
            };
            diagnostics.error(
                &item.generics.params,
                format!("Durable Object structs cannot be generic: each is one concrete class on the platform\nhelp: {fix}"),
            );
            return None;
        }
        if let Some(where_clause) = &item.generics.where_clause {
            diagnostics.error(
                where_clause,
                "Durable Object structs cannot have a `where` clause",
            );
        }
        if let Some(packed) = item.attrs.iter().find_map(packed) {
            diagnostics.error(
                packed,
                "Durable Object structs cannot be packed, because their fields are borrowed one by one\nhelp: remove `packed`",
            );
        }
        if let Fields::Unnamed(fields) = &item.fields {
            diagnostics.error(
                fields,
                "fields are stored by name\nhelp: write `struct Counter { value: i64 }`",
            );
            return None;
        }
        let fields = raw
            .fields
            .iter()
            .filter_map(|field| Field::from_raw(diagnostics, field))
            .collect();
        Some(Self {
            raw,
            item,
            name: &item.ident,
            visibility: &item.vis,
            fields,
            migrations: migrations.into_iter().collect(),
            krate,
        })
    }

    /// Returns the lints that the struct or one of its fields allows. They also concern generated
    /// code, which names the same types.
    pub fn allowed_lints(&self) -> impl Iterator<Item = &'a TokenStream> {
        let of_fields = self.item.fields.iter().flat_map(|field| &field.attrs);
        self.item
            .attrs
            .iter()
            .chain(of_fields)
            .filter_map(allowed_lints)
    }

    /// Returns the `#[cfg]` attributes of the struct. All code generated beside it has the same.
    pub fn conditions(&self) -> Vec<&'a Attribute> {
        conditions(&self.item.attrs)
    }
}

/// `packed` of a `#[repr(…)]`, also among others and with an alignment.
fn packed(attribute: &Attribute) -> Option<Path> {
    let mut found = None;
    if attribute.path().is_ident("repr") {
        // rustc reports what cannot be read.
        let _ = attribute.parse_nested_meta(|meta| {
            if meta.input.peek(Paren) {
                let alignment;
                parenthesized!(alignment in meta.input);
                alignment.parse::<TokenStream>()?;
            }
            if meta.path.is_ident("packed") {
                found = Some(meta.path);
            }
            Ok(())
        });
    }
    found
}

fn is_empty_text(expression: &Expr) -> bool {
    matches!(expression, Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if text.value().trim().is_empty())
}
