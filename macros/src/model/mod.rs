//! Raw → model: one object as it was declared, checked item by item.
//!
//! The model keeps the user's own nodes, so that every later error has a place to point at.

mod alarm;
mod argument;
mod handler;
mod object;
mod output;
mod route;

pub use alarm::{Alarm, Recurrence};
pub use argument::{Argument, ArgumentKind, Passing};
pub use handler::{Behaviour, Handler, MessageFlavour, Roles, named_type};
pub use object::{FieldKind, Object, StoredField};
pub use output::Output;
pub use route::{HttpMethod, Route};

use syn::visit::Visit;
use syn::{Lifetime, PathSegment, Type, TypePath, TypeReference};

/// The last segment of a type that is a plain path.
pub fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match ty {
        Type::Path(TypePath {
            qself: None, path, ..
        }) => path.segments.last(),
        Type::Group(group) => last_segment(&group.elem),
        Type::Paren(paren) => last_segment(&paren.elem),
        _ => None,
    }
}

pub fn is_named(ty: &Type, name: &str) -> bool {
    last_segment(ty).is_some_and(|segment| segment.ident == name)
}

/// The first place in a type that borrows from somebody.
pub fn first_borrow(ty: &Type) -> Option<Borrow<'_>> {
    let mut search = BorrowSearch(None);
    search.visit_type(ty);
    search.0
}

#[derive(Clone, Copy)]
pub enum Borrow<'a> {
    Reference(&'a TypeReference),
    Lifetime(&'a Lifetime),
}

impl quote::ToTokens for Borrow<'_> {
    fn to_tokens(&self, tokens: &mut proc_macro2::TokenStream) {
        match self {
            Self::Reference(reference) => reference.to_tokens(tokens),
            Self::Lifetime(lifetime) => lifetime.to_tokens(tokens),
        }
    }
}

struct BorrowSearch<'a>(Option<Borrow<'a>>);

impl<'a> Visit<'a> for BorrowSearch<'a> {
    fn visit_type_reference(&mut self, reference: &'a TypeReference) {
        self.0.get_or_insert(Borrow::Reference(reference));
    }

    fn visit_lifetime(&mut self, lifetime: &'a Lifetime) {
        if lifetime.ident != "static" {
            self.0.get_or_insert(Borrow::Lifetime(lifetime));
        }
    }

    // `fn(&str)` lends to whoever calls it and borrows nothing itself.
    fn visit_type_fn_ptr(&mut self, _: &'a syn::TypeFnPtr) {}
}
