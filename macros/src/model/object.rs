//! The struct: its fields and its migrations.

use proc_macro2::TokenStream;
use syn::{Attribute, Expr, Fields, Ident, ItemStruct, Path, Visibility};

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
    /// The path under which the user knows this framework.
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
                    Expr::Array(array) => Some(array.elems),
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

    /// The lints that the struct or one of its fields allows: generated code names the same types.
    pub fn allowed_lints(&self) -> impl Iterator<Item = &'a TokenStream> {
        let of_fields = self.item.fields.iter().flat_map(|field| &field.attrs);
        self.item
            .attrs
            .iter()
            .chain(of_fields)
            .filter_map(allowed_lints)
    }

    /// The `#[cfg]` attributes of the struct, which everything beside it shares.
    pub fn conditions(&self) -> Vec<&'a Attribute> {
        conditions(&self.item.attrs)
    }
}
