//! Types that are not values.

use syn::visit::Visit;
use syn::{Lifetime, Type};

use super::{arguments_of, find_in_type, last_segment, ungroup};

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

/// Whether rustc refuses the type in a field and in a handler's signature: it has a `_` or an
/// undeclared lifetime, or is `!`.
pub fn is_refused_by_rustc(ty: &Type) -> bool {
    let is_never = |ty: &Type| matches!(ungroup(ty), Type::Never(_));
    find_in_type(ty, |ty| matches!(ty, Type::Infer(_)).then_some(())).is_some()
        || is_never(ty)
        || arguments_of(ty).into_iter().any(is_never)
        || names_lifetime(ty)
}

/// Whether the type names a lifetime. Neither an object nor its handlers declare one.
pub fn names_lifetime(ty: &Type) -> bool {
    struct Search(bool);
    impl<'a> Visit<'a> for Search {
        fn visit_lifetime(&mut self, lifetime: &'a Lifetime) {
            self.0 |= is_undeclared(lifetime);
        }

        // These may declare their own.
        fn visit_type_fn_ptr(&mut self, _: &'a syn::TypeFnPtr) {}
        fn visit_trait_bound(&mut self, _: &'a syn::TraitBound) {}
    }
    let mut search = Search(false);
    search.visit_type(ty);
    search.0
}

/// Whether the lifetime is neither `'static` nor `'_`.
pub fn is_undeclared(lifetime: &Lifetime) -> bool {
    lifetime.ident != "static" && lifetime.ident != "_"
}
