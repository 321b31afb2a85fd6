//! The struct under `#[durable_object]`.

use syn::{Attribute, Expr, Field, ItemStruct, Path, Token};

use super::{is_conditional, strip};

/// A field, with our attributes stripped.
pub struct RawField {
    pub memory: Vec<Attribute>,
    pub stored: Vec<Attribute>,
    pub serde: Vec<Attribute>,
    /// A `#[cfg_attr]` that would add one of ours.
    pub conditional: Vec<Attribute>,
    /// `= 5`, which Rust does not accept yet.
    pub default: Option<(Token![=], Expr)>,
    pub field: Field,
}

/// A struct, with our attributes stripped from its fields.
pub struct RawStruct {
    pub item: ItemStruct,
    pub fields: Vec<RawField>,
}

impl RawStruct {
    pub fn new(mut item: ItemStruct, krate: &Path) -> Self {
        let fields = item
            .fields
            .iter_mut()
            .map(|field| RawField {
                memory: strip(&mut field.attrs, "memory", krate),
                stored: strip(&mut field.attrs, "stored", krate),
                serde: strip(&mut field.attrs, "serde", krate),
                conditional: field
                    .attrs
                    .extract_if(.., |attribute| {
                        is_conditional(attribute, &["memory", "stored", "serde"], krate)
                    })
                    .collect(),
                default: field.default.take(),
                field: field.clone(),
            })
            .collect();
        Self { item, fields }
    }
}
