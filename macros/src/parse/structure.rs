//! The struct under `#[durable_object]`.

use syn::{Attribute, Expr, Field, Ident, ItemStruct, Path, Token};

use super::attribute::{Place, attribute_name, is_conditional, strip};
use super::resolve_self;

/// A field, with our attributes stripped.
pub struct RawField {
    pub memory: Vec<Attribute>,
    pub stored: Vec<Attribute>,
    pub serde: Vec<Attribute>,
    /// A `#[cfg_attr]` that would add one of ours.
    pub conditional: Vec<Attribute>,
    /// Ours that belong on something else, and that no derive on the struct can own.
    pub misplaced: Vec<Attribute>,
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
        // What is generated about a field's type is not inside the struct.
        let object = Path::from(item.ident.clone());
        let is_derived = item
            .attrs
            .iter()
            .any(|attribute| attribute.path().is_ident("derive"));
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
                misplaced: field
                    .attrs
                    .extract_if(.., |attribute| {
                        !is_derived && Place::of(attribute, krate).is_some()
                    })
                    .collect(),
                default: field.default.take(),
                field: Field {
                    ty: resolve_self(&field.ty, &object),
                    ..field.clone()
                },
            })
            .collect();
        Self { item, fields }
    }

    /// The names of our attributes on the fields, as the user wrote them.
    pub fn attribute_names(&self) -> impl Iterator<Item = &Ident> {
        self.fields
            .iter()
            .flat_map(|field| {
                let ours = field.memory.iter().chain(&field.stored);
                ours.chain(&field.misplaced)
            })
            .filter_map(attribute_name)
    }
}
