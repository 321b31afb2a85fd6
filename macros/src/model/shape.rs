//! Types that are not values.

use syn::Type;

use super::{find_in_type, last_segment, ungroup};

/// Whether this is `str`, `[T]` or `dyn Trait`, as far as the text shows it.
pub fn is_unsized(ty: &Type) -> bool {
    match ungroup(ty) {
        Type::Slice(_) | Type::TraitObject(_) => true,
        Type::Path(path) if path.qself.is_none() && path.path.segments.len() == 1 => {
            last_segment(ty).is_some_and(|only| only.ident == "str" && only.arguments.is_none())
        }
        _ => false,
    }
}

/// The error message for a type that [`is_unsized`].
pub const UNSIZED: &str = "this type has no fixed size, so it cannot be passed or stored\nhelp: use for example `String` instead of `str`, and `Vec<T>` instead of `[T]`";

/// Whether the type has a `_`, which rustc refuses in all item signatures.
pub fn has_placeholder(ty: &Type) -> bool {
    find_in_type(ty, |ty| matches!(ty, Type::Infer(_)).then_some(())).is_some()
}
