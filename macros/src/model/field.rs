//! Fields: which ones are durable, under which keys, and with which defaults.

use proc_macro2::Span;
use quote::ToTokens;
use syn::{Attribute, Expr, Ident, Type};

use crate::attr::Arguments;
use crate::diag::Diagnostics;
use crate::names::{RESERVED_KEY_PREFIX, unraw};
use crate::options;
use crate::parse::{RawField, attribute_name, is_condition};

use super::misplaced::report_misplaced;
use super::shape::{UNSIZED, is_unsized};
use super::ungroup;

/// The platform's limit for keys.
const MAX_KEY_BYTES: usize = 2_048;

pub enum Durability {
    Memory,
    Durable {
        key: String,
        default: Option<Box<Expr>>,
    },
}

pub struct Field<'a> {
    pub name: &'a Ident,
    pub ty: &'a Type,
    pub durability: Durability,
    /// Where the key comes from (`key = "…"` or the field's name), for errors.
    pub key_span: Span,
}

impl<'a> Field<'a> {
    pub fn from_raw(diagnostics: &Diagnostics, raw: &'a RawField) -> Option<Self> {
        let RawField {
            memory,
            stored,
            serde,
            conditional,
            misplaced,
            default,
            field,
        } = raw;
        let name = field.ident.as_ref()?;
        if let Some(attribute) = misplaced.first() {
            report_misplaced(diagnostics, attribute);
            return None;
        }
        let condition = field.attrs.iter().find(|attribute| is_condition(attribute));
        if let Some(attribute) = condition.or(conditional.first()) {
            diagnostics.error(
                attribute,
                "conditions are not supported on fields, because every build must be able to load the object",
            );
            return None;
        }
        if let Some((equals, value)) = default {
            let written = value.to_token_stream();
            let mut assignment = equals.to_token_stream();
            value.to_tokens(&mut assignment);
            diagnostics.error(
                assignment,
                format!("a field's default belongs in an attribute\nhelp: write `#[stored(default = {written})]`"),
            );
            return None;
        }
        if let Some(attribute) = serde.first() {
            diagnostics.error(
                attribute,
                "serde attributes have no effect here, because fields are stored one by one\nhelp: `#[stored(key = \"…\")]` renames a field, `#[stored(default = …)]` sets its default, `#[memory]` leaves it out",
            );
            return None;
        }
        for attributes in [memory, stored] {
            if let [first, second, ..] = attributes.as_slice() {
                let name = attribute_name(first).map_or_else(String::new, ToString::to_string);
                diagnostics.error(
                    second,
                    if name == "stored" {
                        String::from("duplicate `#[stored]` attribute\nhelp: write both options in one: `#[stored(key = \"…\", default = …)]`")
                    } else {
                        format!("duplicate `#[{name}]` attribute")
                    },
                );
                return None;
            }
        }
        let (durability, key_span) = match (memory.first(), stored.first()) {
            (Some(_), Some(stored)) => {
                diagnostics.error(
                    stored,
                    "a field is either `#[memory]`, forgotten when the object leaves memory, or `#[stored]`\nhelp: remove one of the two",
                );
                return None;
            }
            (Some(memory), None) => {
                let arguments = diagnostics.ok_or_report(Arguments::of(memory, "#[memory]"))?;
                arguments.reject_rest(diagnostics, "memory", options::NONE);
                (Durability::Memory, name.span())
            }
            (None, stored) => durable(diagnostics, name, stored)?,
        };
        check_type(diagnostics, &field.ty)?;
        Some(Self {
            name,
            ty: &field.ty,
            durability,
            key_span,
        })
    }
}

fn durable(
    diagnostics: &Diagnostics,
    name: &Ident,
    attribute: Option<&Attribute>,
) -> Option<(Durability, Span)> {
    let Some(attribute) = attribute else {
        let durability = Durability::Durable {
            key: unraw(name),
            default: None,
        };
        return Some((durability, name.span()));
    };
    let shape = "#[stored(key = \"…\", default = …)]";
    let mut arguments = diagnostics.ok_or_report(Arguments::of(attribute, shape))?;
    let key = match arguments.take("key") {
        Some(option) => Some(diagnostics.ok_or_report(option.string("key = \"value\""))?),
        None => None,
    };
    let default = match arguments.take("default") {
        Some(option) => Some(Box::new(
            diagnostics.ok_or_report(option.expression("default = 1"))?,
        )),
        None => None,
    };
    arguments.reject_rest(diagnostics, "stored", options::OF_STORED);
    let key_span = key.as_ref().map_or(name.span(), syn::LitStr::span);
    let key = key.map_or_else(|| unraw(name), |literal| literal.value());
    if key.is_empty() {
        diagnostics.error_at(
            key_span,
            "the key must not be empty\nhelp: write for example `key = \"value\"`",
        );
    }
    if key.len() > MAX_KEY_BYTES {
        diagnostics.error_at(
            key_span,
            format!(
                "the key is {} bytes long; it must be at most {MAX_KEY_BYTES}",
                key.len()
            ),
        );
    }
    if key.starts_with(RESERVED_KEY_PREFIX) {
        diagnostics.error_at(
            key_span,
            format!("keys that begin with `{RESERVED_KEY_PREFIX}` are reserved for the runtime"),
        );
    }
    Some((Durability::Durable { key, default }, key_span))
}

fn check_type(diagnostics: &Diagnostics, ty: &Type) -> Option<()> {
    if is_unsized(ty) {
        diagnostics.error(ty, UNSIZED);
        return None;
    }
    let Type::Reference(reference) = ungroup(ty) else {
        return Some(());
    };
    diagnostics.error(
        reference,
        "fields must own their data, because the object is loaded from storage\nhelp: use for example `String` instead of `&str`",
    );
    None
}
