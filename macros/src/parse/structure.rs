//! The struct under `#[durable_object]`.

use syn::{Attribute, Expr, Field, Ident, ItemStruct, Path, Token};

use super::attribute::{Place, attribute_name, is_conditional, strip};
use super::resolve_self;

/// A field. This crate's attributes are stripped from it.
pub struct RawField {
    pub memory: Vec<Attribute>,
    pub stored: Vec<Attribute>,
    pub serde: Vec<Attribute>,
    /// A `#[cfg_attr]` that would add one of this crate's attributes.
    pub conditional: Vec<Attribute>,
    /// Attributes of this crate that belong elsewhere, and that no derive on the struct can use.
    pub misplaced: Vec<Attribute>,
    /// `= 5`, which Rust does not accept yet.
    pub default: Option<(Token![=], Expr)>,
    pub field: Field,
}

/// A struct. This crate's attributes are stripped from its fields.
pub struct RawStruct {
    /// Further `#[durable_object]` attributes.
    pub again: Vec<Attribute>,
    pub item: ItemStruct,
    /// Attributes that would change how the object is stored if it were stored as a whole.
    pub serde: Vec<Attribute>,
    pub fields: Vec<RawField>,
}

impl RawStruct {
    pub fn new(mut item: ItemStruct, krate: &Path) -> Self {
        // `Self` is replaced, because checks of a field's type are generated outside the struct.
        let object = Path::from(item.ident.clone());
        let is_derived = item
            .attrs
            .iter()
            .any(|attribute| attribute.path().is_ident("derive"));
        let serde = item
            .attrs
            .extract_if(.., |attribute| {
                attribute.path().is_ident("serde") && !names_serde(attribute)
            })
            .collect();
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
        Self {
            again: strip(&mut item.attrs, "durable_object", krate),
            item,
            serde,
            fields,
        }
    }

    /// Returns the names of this crate's attributes on the fields, as the user wrote them.
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

/// Whether this is `#[serde(crate = "…")]`, which only says where a derive finds serde.
fn names_serde(attribute: &Attribute) -> bool {
    attribute
        .meta
        .require_list()
        .is_ok_and(|list| list.tokens.to_string().starts_with("crate"))
}
