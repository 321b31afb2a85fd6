//! The struct: which fields are durable, under which keys, with which defaults.

use syn::visit::Visit;
use syn::{Attribute, Expr, Fields, Ident, ItemStruct, Type, Visibility};

use crate::attr::Arguments;
use crate::diag::Diagnostics;
use crate::names::{RESERVED_KEY_PREFIX, plain};
use crate::parse::{RawField, RawStruct};

use super::last_segment;

/// Types that change behind a shared reference, or are shared themselves: a failed turn could not take such a change back.
const INTERIOR_MUTABILITY: &[&str] = &[
    "Cell",
    "RefCell",
    "OnceCell",
    "LazyCell",
    "UnsafeCell",
    "Mutex",
    "RwLock",
    "OnceLock",
    "LazyLock",
    "Rc",
    "Arc",
    "AtomicBool",
    "AtomicI8",
    "AtomicI16",
    "AtomicI32",
    "AtomicI64",
    "AtomicIsize",
    "AtomicU8",
    "AtomicU16",
    "AtomicU32",
    "AtomicU64",
    "AtomicUsize",
    "AtomicPtr",
];

pub enum FieldKind {
    Memory,
    Stored { key: String, default: Option<Expr> },
}

pub struct StoredField<'a> {
    pub name: &'a Ident,
    pub ty: &'a Type,
    pub kind: FieldKind,
    /// Where the key comes from, for errors: `key = "…"` or the field's name.
    pub key_at: proc_macro2::Span,
}

pub struct Object<'a> {
    pub item: &'a ItemStruct,
    pub name: &'a Ident,
    pub visibility: &'a Visibility,
    pub fields: Vec<StoredField<'a>>,
    pub migrations: Vec<Expr>,
}

impl<'a> Object<'a> {
    pub fn from_raw(
        diagnostics: &Diagnostics,
        mut arguments: Arguments,
        raw: &'a RawStruct,
    ) -> Option<Self> {
        let migrations = arguments
            .take("migrations")
            .and_then(|option| {
                let example = "migrations = [\"CREATE TABLE …\"]";
                match diagnostics.keep(option.expression(example))? {
                    Expr::Array(array) => Some(array.elems),
                    other => {
                        diagnostics.error(
                            other,
                            format!("migrations are a list, oldest first: `{example}`"),
                        );
                        None
                    }
                }
            })
            .unwrap_or_default();
        arguments.finish(diagnostics, "durable_object", &["migrations"]);

        let item = &raw.item;
        if !item.generics.params.is_empty() {
            diagnostics.error(
                &item.generics.params,
                "an object is a class of its own on the platform, so its struct has no generics: name the types",
            );
            return None;
        }
        if let Some(where_clause) = &item.generics.where_clause {
            diagnostics.error(where_clause, "an object's struct has no `where` clause");
        }
        if let Fields::Unnamed(fields) = &item.fields {
            diagnostics.error(
                fields,
                "a field is stored under its name: write `struct Counter { value: i64 }`",
            );
            return None;
        }
        let fields = raw
            .fields
            .iter()
            .filter_map(|field| StoredField::from_raw(diagnostics, field))
            .collect();
        Some(Self {
            item,
            name: &item.ident,
            visibility: &item.vis,
            fields,
            migrations: migrations.into_iter().collect(),
        })
    }
}

impl<'a> StoredField<'a> {
    fn from_raw(diagnostics: &Diagnostics, raw: &'a RawField) -> Option<Self> {
        let RawField {
            memory,
            stored,
            serde,
            field,
        } = raw;
        let name = field.ident.as_ref()?;
        if let Some(attribute) = field
            .attrs
            .iter()
            .find(|attribute| attribute.path().is_ident("cfg"))
        {
            diagnostics.error(
                attribute,
                "a field is always there: an object must load wherever it was stored",
            );
            return None;
        }
        if let Some(attribute) = serde {
            diagnostics.error(
                attribute,
                "each field is stored by itself: `#[stored(key = \"…\")]` renames it, `#[stored(default = …)]` is its default, `#[memory]` leaves it out",
            );
            return None;
        }
        let (kind, key_at) = match (memory, stored) {
            (Some(_), Some(stored)) => {
                diagnostics.error(
                    stored,
                    "a field is either `#[memory]`, forgotten on eviction, or `#[stored]`: remove one",
                );
                return None;
            }
            (Some(memory), None) => {
                let arguments = diagnostics.keep(Arguments::of(memory, "#[memory]"))?;
                arguments.finish(diagnostics, "memory", &[]);
                (FieldKind::Memory, name.span())
            }
            (None, stored) => stored_kind(diagnostics, name, stored.as_ref())?,
        };
        check_collection(diagnostics, &field.ty, memory.as_ref())?;
        if let FieldKind::Stored { .. } = kind {
            check_storable(diagnostics, &field.ty)?;
        } else if let Type::Reference(reference) = &field.ty {
            check_reference(diagnostics, reference)?;
        }
        Some(Self {
            name,
            ty: &field.ty,
            kind,
            key_at,
        })
    }
}

fn stored_kind(
    diagnostics: &Diagnostics,
    name: &Ident,
    attribute: Option<&Attribute>,
) -> Option<(FieldKind, proc_macro2::Span)> {
    let Some(attribute) = attribute else {
        let kind = FieldKind::Stored {
            key: plain(name),
            default: None,
        };
        return Some((kind, name.span()));
    };
    let shape = "#[stored(key = \"…\", default = …)]";
    let mut arguments = diagnostics.keep(Arguments::of(attribute, shape))?;
    let key = match arguments.take("key") {
        Some(option) => Some(diagnostics.keep(option.string("key = \"value\""))?),
        None => None,
    };
    let default = match arguments.take("default") {
        Some(option) => Some(diagnostics.keep(option.expression("default = 1"))?),
        None => None,
    };
    arguments.finish(diagnostics, "stored", &["key", "default"]);
    let key_at = key.as_ref().map_or(name.span(), syn::LitStr::span);
    let key = key.map_or_else(|| plain(name), |literal| literal.value());
    if key.is_empty() {
        diagnostics.error_at(
            key_at,
            "a key has at least one character: `key = \"value\"`",
        );
    }
    if key.starts_with(RESERVED_KEY_PREFIX) {
        diagnostics.error_at(
            key_at,
            format!("keys under `{RESERVED_KEY_PREFIX}` belong to the runtime: choose another"),
        );
    }
    Some((FieldKind::Stored { key, default }, key_at))
}

fn check_storable(diagnostics: &Diagnostics, ty: &Type) -> Option<()> {
    if let Type::Reference(reference) = ty {
        return check_reference(diagnostics, reference);
    }
    let escapes = last_segment(ty)
        .filter(|segment| INTERIOR_MUTABILITY.iter().any(|name| segment.ident == name));
    match escapes {
        Some(segment) => {
            diagnostics.error(
                ty,
                format!("interior mutability (`{}`) escapes the turn's rollback: store the value itself, or mark the field `#[memory]`", segment.ident),
            );
            None
        }
        None => Some(()),
    }
}

/// A stored collection reads and writes below its field's key: it has entries only as a durable field of its own.
fn check_collection(
    diagnostics: &Diagnostics,
    ty: &Type,
    memory: Option<&Attribute>,
) -> Option<()> {
    let outermost = last_segment(ty).is_some_and(|segment| is_collection(&segment.ident));
    if outermost && let Some(memory) = memory {
        diagnostics.error(
            memory,
            "a stored collection keeps its entries in storage: drop `#[memory]`, or write `HashMap` or `Vec`",
        );
        return None;
    }
    let mut search = CollectionSearch(None);
    search.visit_type(ty);
    match search.0 {
        Some(inner) if !outermost => {
            diagnostics.error(
                inner,
                format!("a `{inner}` is a field of its own: write `name: {inner}<…>`; for several in one, put what tells them apart into the key"),
            );
            None
        }
        _ => Some(()),
    }
}

fn is_collection(name: &Ident) -> bool {
    name == "StoredMap" || name == "StoredLog"
}

struct CollectionSearch<'a>(Option<&'a Ident>);

impl<'a> Visit<'a> for CollectionSearch<'a> {
    fn visit_path_segment(&mut self, segment: &'a syn::PathSegment) {
        if is_collection(&segment.ident) {
            self.0.get_or_insert(&segment.ident);
        }
        syn::visit::visit_path_segment(self, segment);
    }
}

/// The object outlives every borrow: it is woken from storage.
fn check_reference(diagnostics: &Diagnostics, reference: &syn::TypeReference) -> Option<()> {
    diagnostics.error(
        reference,
        "an object is loaded from storage and can borrow from nobody: own the value, such as `String` for `&str`",
    );
    None
}
