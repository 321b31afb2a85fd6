//! What can be read off a type's text. What a type *is* decides a trait: see `recognition` in the runtime.

use syn::visit::{self, Visit};
use syn::{
    GenericArgument, Lifetime, Path, PathArguments, PathSegment, Type, TypePath, TypeReference,
};

/// Types of the standard library that are values: never a `Result`, a request or the context.
const PLAIN_VALUES: &[&str] = &[
    "bool", "char", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64", "u128",
    "usize", "f32", "f64", "String", "Vec", "VecDeque", "Option", "HashMap", "HashSet", "BTreeMap",
    "BTreeSet",
];

/// The type without the invisible group that a `macro_rules` fragment is wrapped in, and without parentheses.
pub fn ungroup(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => ungroup(&group.elem),
        Type::Paren(paren) => ungroup(&paren.elem),
        other => other,
    }
}

/// The path of the type, whatever its generics.
pub fn named_type(ty: &Type) -> Option<&Path> {
    match ungroup(ty) {
        Type::Path(TypePath {
            qself: None, path, ..
        }) => Some(path),
        _ => None,
    }
}

/// The last segment of a type that is a plain path.
pub fn last_segment(ty: &Type) -> Option<&PathSegment> {
    named_type(ty)?.segments.last()
}

pub fn is_named(ty: &Type, name: &str) -> bool {
    last_segment(ty).is_some_and(|segment| segment.ident == name)
}

pub fn is_unit(ty: &Type) -> bool {
    matches!(ungroup(ty), Type::Tuple(tuple) if tuple.elems.is_empty())
}

/// Whether the text alone shows that the type is an ordinary value.
pub fn is_plain_value(ty: &Type) -> bool {
    match ungroup(ty) {
        Type::Tuple(_) | Type::Array(_) => true,
        other => last_segment(other)
            .is_some_and(|segment| PLAIN_VALUES.iter().any(|name| segment.ident == name)),
    }
}

/// The type arguments of a type: `T` and `E` of `Result<T, E>`.
pub fn arguments_of(ty: &Type) -> Vec<&Type> {
    match last_segment(ty).map(|segment| &segment.arguments) {
        Some(PathArguments::AngleBracketed(arguments)) => arguments
            .args
            .iter()
            .filter_map(|argument| match argument {
                GenericArgument::Type(ty) => Some(ty),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// The types at any depth that may be anything, the type itself included.
///
/// In `Log<Entry, BOUND>` the text does not tell the type from the constant, so that both are left out; what `Log` is made
/// of, an auto trait sees.
pub fn named_types(ty: &Type) -> Vec<&Type> {
    match ungroup(ty) {
        Type::Tuple(tuple) => tuple.elems.iter().flat_map(named_types).collect(),
        Type::Array(array) => named_types(&array.elem),
        Type::Slice(slice) => named_types(&slice.elem),
        other if named_type(other).is_some() => {
            let is_plain = is_plain_value(other);
            let itself = (!is_plain).then_some(other);
            let inner = arguments_of(other)
                .into_iter()
                .filter(|inner| is_plain || !may_be_constant(inner))
                .flat_map(named_types);
            itself.into_iter().chain(inner).collect()
        }
        _ => Vec::new(),
    }
}

/// Whether an argument of a type may be a constant, as far as its text shows.
fn may_be_constant(argument: &Type) -> bool {
    last_segment(argument).is_some_and(|segment| {
        segment.arguments.is_none() && !segment.ident.to_string().starts_with("Atomic")
    })
}

/// The first type at any depth, the type itself included, for which `select` answers.
pub fn find_in_type<'a, T>(ty: &'a Type, select: impl FnMut(&'a Type) -> Option<T>) -> Option<T> {
    struct Search<F, T> {
        select: F,
        found: Option<T>,
    }
    impl<'a, F: FnMut(&'a Type) -> Option<T>, T> Visit<'a> for Search<F, T> {
        fn visit_type(&mut self, ty: &'a Type) {
            if self.found.is_none() {
                self.found = (self.select)(ty);
                visit::visit_type(self, ty);
            }
        }
    }
    let mut search = Search {
        select,
        found: None,
    };
    search.visit_type(ty);
    search.found
}

/// The first `impl Trait` at any depth.
pub fn opaque_type(ty: &Type) -> Option<&syn::TypeImplTrait> {
    find_in_type(ty, |ty| match ty {
        Type::ImplTrait(opaque) => Some(opaque),
        _ => None,
    })
}

/// The first borrow inside a type.
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

impl Borrow<'_> {
    /// Whether it refers to a type of this name.
    pub fn is_of(self, name: &str) -> bool {
        matches!(self, Self::Reference(reference) if is_named(&reference.elem, name))
    }
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

    // `fn(&str)` borrows from its caller and holds no reference.
    fn visit_type_fn_ptr(&mut self, _: &'a syn::TypeFnPtr) {}
}
