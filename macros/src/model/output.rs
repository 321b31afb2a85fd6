//! What a handler answers.

use syn::{GenericArgument, PathArguments, ReturnType, Type};

use crate::diag::Diagnostics;

use super::{first_borrow, is_named, last_segment};

pub enum Output<'a> {
    /// `()` or no result at all.
    Nothing,
    /// `&str`, which travels as a `String`.
    Text(&'a Type),
    Plain(&'a Type),
    Fallible {
        whole: &'a Type,
        /// `None` where an alias hides them, as in `io::Result<T>`: then they are projected.
        parts: Option<(&'a Type, &'a Type)>,
    },
}

impl<'a> Output<'a> {
    pub fn from_raw(diagnostics: &Diagnostics, output: &'a ReturnType) -> Self {
        let ReturnType::Type(_, ty) = output else {
            return Self::Nothing;
        };
        if is_unit(ty) {
            return Self::Nothing;
        }
        if let Type::Reference(reference) = &**ty
            && is_named(&reference.elem, "str")
        {
            return Self::Text(ty);
        }
        if let Some(borrow) = first_borrow(ty) {
            diagnostics.error(
                borrow,
                "a result leaves the object: return an owned value, such as `String` (a plain `&str` is copied by itself)",
            );
            return Self::Nothing;
        }
        if let Type::ImplTrait(_) = &**ty {
            diagnostics.error(
                ty,
                "a result is decoded by the caller: name its type instead of `impl Trait`",
            );
            return Self::Nothing;
        }
        match result_arguments(ty).as_slice() {
            [value, error] => Self::Fallible {
                whole: ty,
                parts: Some((value, error)),
            },
            [_] => Self::Fallible {
                whole: ty,
                parts: None,
            },
            _ => Self::Plain(ty),
        }
    }

    /// Whether success carries no value, as in `Result<(), E>`.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Nothing => true,
            Self::Text(_) | Self::Plain(_) => false,
            Self::Fallible { whole, .. } => result_arguments(whole)
                .first()
                .is_some_and(|value| is_unit(value)),
        }
    }

    /// The type of success as far as the signature shows it.
    pub fn value(&self) -> Option<&'a Type> {
        match self {
            Self::Nothing => None,
            Self::Text(ty) | Self::Plain(ty) => Some(ty),
            Self::Fallible { whole, .. } => result_arguments(whole).first().copied(),
        }
    }
}

pub fn is_unit(ty: &Type) -> bool {
    matches!(ty, Type::Tuple(tuple) if tuple.elems.is_empty())
}

/// The type arguments of a `Result<…>`, aliases included. A user's own type called `Result`, without any, is a value.
fn result_arguments(ty: &Type) -> Vec<&Type> {
    let Some(segment) = last_segment(ty).filter(|segment| segment.ident == "Result") else {
        return Vec::new();
    };
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else {
        return Vec::new();
    };
    arguments
        .args
        .iter()
        .filter_map(|argument| match argument {
            GenericArgument::Type(ty) => Some(ty),
            _ => None,
        })
        .collect()
}
