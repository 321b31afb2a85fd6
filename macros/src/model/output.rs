//! The results of handlers.

use syn::{ReturnType, Type, TypeParamBound, TypeTraitObject};

use crate::diag::Diagnostics;

use super::shape::{UNSIZED, is_unsized, names_lifetime};
use super::types::first_borrow;
use super::{
    arguments_of, find_in_type, is_named, is_plain_value, is_unit, last_segment, opaque_type,
    ungroup,
};

pub enum Output<'a> {
    /// `()`, or no result.
    Nothing,
    /// `&str`, which is sent as a `String`.
    Text(&'a Type),
    /// Its text shows that it cannot fail.
    Plain(&'a Type),
    /// Possibly a `Result`, under this name or another. The compiler decides this.
    Probed(&'a Type),
}

impl<'a> Output<'a> {
    /// A result that is written before the turn ends may borrow from the object. One that a caller
    /// decodes may not.
    pub fn from_raw(diagnostics: &Diagnostics, output: &'a ReturnType, may_borrow: bool) -> Self {
        let ReturnType::Type(_, ty) = output else {
            return Self::Nothing;
        };
        if is_unit(ty) {
            return Self::Nothing;
        }
        if let Type::Reference(reference) = ungroup(ty)
            && is_named(&reference.elem, "str")
        {
            return Self::Text(ty);
        }
        if let Some(opaque) = opaque_type(ty) {
            diagnostics.error(
                opaque,
                if opaque.bounds.iter().any(is_future) {
                    "a handler cannot return a future\nhelp: write `async fn`"
                } else {
                    "`impl Trait` cannot be returned from a handler\nhelp: name the concrete type; the caller decodes into it"
                },
            );
            return Self::Nothing;
        }
        if let Some(future) = dynamic_future(ty) {
            diagnostics.error(
                future,
                "a handler cannot return a future\nhelp: write `async fn`",
            );
            return Self::Nothing;
        }
        if let Type::Never(never) = ungroup(ty) {
            diagnostics.error(
                never,
                "a handler must return\nhelp: leave the type out, or return an error",
            );
            return Self::Nothing;
        }
        if is_unsized(ty) {
            diagnostics.error(ty, UNSIZED);
            return Self::Nothing;
        }
        let owned = if may_borrow {
            Self::sides(ty).and_then(|(_, error)| error)
        } else {
            Some(&**ty)
        };
        if names_lifetime(ty) {
            // rustc reports it.
            return Self::Nothing;
        }
        if let Some(borrow) = owned.and_then(first_borrow) {
            diagnostics.error(
                borrow,
                "results must be owned\nhelp: return for example `String`; a bare `&str` is copied automatically",
            );
            return Self::Nothing;
        }
        if is_plain_value(ty) {
            Self::Plain(ty)
        } else {
            Self::Probed(ty)
        }
    }

    /// Returns where to report an error about the value: `T` of `Result<T, E>`, or the whole type.
    pub fn value_at(ty: &Type) -> &Type {
        Self::sides(ty).map_or(ty, |(value, _)| value)
    }

    /// Returns where to report an error about the error type: `E` of `Result<T, E>`, or the whole
    /// type.
    pub fn error_at(ty: &Type) -> &Type {
        Self::sides(ty).and_then(|(_, error)| error).unwrap_or(ty)
    }

    fn sides(ty: &Type) -> Option<(&Type, Option<&Type>)> {
        last_segment(ty).filter(|segment| segment.ident == "Result")?;
        let arguments = arguments_of(ty);
        Some((arguments.first()?, arguments.get(1).copied()))
    }
}

fn is_future(bound: &TypeParamBound) -> bool {
    matches!(bound, TypeParamBound::Trait(bound)
        if bound.path.segments.last().is_some_and(|last| last.ident == "Future"))
}

/// Returns the first `dyn Future` at any depth, as in `Pin<Box<dyn Future<Output = T>>>`.
fn dynamic_future(ty: &Type) -> Option<&TypeTraitObject> {
    find_in_type(ty, |ty| match ty {
        Type::TraitObject(object) if object.bounds.iter().any(is_future) => Some(object),
        _ => None,
    })
}
