//! What a type's text shows. Traits decide what a type actually is: see `recognition` in the
//! runtime.

use syn::visit::{self, Visit};
use syn::{
    GenericArgument, Lifetime, Path, PathArguments, PathSegment, Type, TypePath, TypeReference,
};

/// Primitive types. A bare name of these is trusted. Any other type is recognised by traits.
const PRIMITIVES: &[&str] = &[
    "bool", "char", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64", "u128",
    "usize", "f32", "f64",
];

/// Containers of the standard library. Their arguments are types, never constants.
const CONTAINERS: &[&str] = &[
    "Box", "Option", "Vec", "VecDeque", "HashMap", "HashSet", "BTreeMap", "BTreeSet",
];

/// Removes parentheses, and the invisible group around a `macro_rules` fragment.
pub fn ungroup(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => ungroup(&group.elem),
        Type::Paren(paren) => ungroup(&paren.elem),
        other => other,
    }
}

/// Returns the path of the type, which may have generics.
pub fn named_type(ty: &Type) -> Option<&Path> {
    match ungroup(ty) {
        Type::Path(TypePath {
            qself: None, path, ..
        }) => Some(path),
        _ => None,
    }
}

/// Returns the last segment of a type that is a plain path.
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
        other => named_type(other)
            .and_then(Path::get_ident)
            .is_some_and(|name| PRIMITIVES.iter().any(|primitive| name == primitive)),
    }
}

/// Whether the type is written as an owned value of the standard library, without a path to another
/// item.
pub fn is_owned_by_name(ty: &Type) -> bool {
    named_type(ty).is_some_and(|path| {
        path.segments.len() == 1
            && path.segments.iter().all(|segment| {
                let mut names = CONTAINERS.iter().chain(&["String"]);
                names.any(|name| segment.ident == name)
            })
    })
}

/// Whether the text shows a type of the standard library: a path into it, or one of its containers
/// with type arguments.
pub fn is_of_std(ty: &Type) -> bool {
    let Some(path) = named_type(ty) else {
        return false;
    };
    let roots: &[&str] = match path.leading_colon {
        Some(_) => &["std", "core", "alloc"],
        None => &["std"],
    };
    let begins_there = path
        .segments
        .first()
        .is_some_and(|first| roots.iter().any(|root| first.ident == root));
    (begins_there && path.segments.len() > 1)
        || (is_owned_by_name(ty) && !arguments_of(ty).is_empty())
}

/// Returns the type arguments of a type: `T` and `E` of `Result<T, E>`.
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

/// Returns the types at any depth whose text does not show what they are, including the type
/// itself.
///
/// In `Log<Entry, BOUND>` the text does not distinguish a type from a constant. What is written
/// like a constant is omitted.
pub fn named_types(ty: &Type) -> Vec<&Type> {
    match ungroup(ty) {
        Type::Tuple(tuple) => tuple.elems.iter().flat_map(named_types).collect(),
        Type::Array(array) => named_types(&array.elem),
        Type::Slice(slice) => named_types(&slice.elem),
        other @ (Type::Path(_) | Type::Macro(_)) if !is_plain_value(other) => {
            let holds_types = last_segment(other)
                .is_some_and(|segment| CONTAINERS.iter().any(|name| segment.ident == name));
            let inner = arguments_of(other)
                .into_iter()
                .filter(|inner| holds_types || !may_be_constant(inner))
                .flat_map(named_types);
            std::iter::once(other).chain(inner).collect()
        }
        _ => Vec::new(),
    }
}

/// Whether an argument of a type may be a constant, as far as its text shows. `Entry` is a type.
/// `BOUND` and `bound` may be either.
fn may_be_constant(argument: &Type) -> bool {
    let Some(name) = named_type(argument).and_then(Path::get_ident) else {
        return last_segment(argument).is_some_and(|segment| segment.arguments.is_none());
    };
    let name = name.to_string();
    let is_upper_camel_case = name.starts_with(|first: char| first.is_uppercase())
        && name.contains(|letter: char| letter.is_lowercase());
    !is_upper_camel_case && !PRIMITIVES.contains(&name.as_str())
}

/// Returns the first result of `select` for the types at any depth, including the type itself.
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

/// Returns the first `impl Trait` at any depth.
pub fn opaque_type(ty: &Type) -> Option<&syn::TypeImplTrait> {
    find_in_type(ty, |ty| match ty {
        Type::ImplTrait(opaque) => Some(opaque),
        _ => None,
    })
}

/// Returns the first borrow inside a type.
pub fn first_borrow(ty: &Type) -> Option<Borrow<'_>> {
    let mut search = BorrowSearch(None);
    search.visit_type(ty);
    search.0
}

#[derive(Clone, Copy)]
pub enum Borrow<'a> {
    Reference(&'a TypeReference),
    Lifetime(&'a Lifetime),
    /// A `Cow` without its lifetime. rustc would report that in generated code.
    Cow(&'a Type),
}

impl Borrow<'_> {
    /// Whether it refers to a type with this name.
    pub fn is_of(self, name: &str) -> bool {
        matches!(self, Self::Reference(reference) if is_named(&reference.elem, name))
    }
}

impl quote::ToTokens for Borrow<'_> {
    fn to_tokens(&self, tokens: &mut proc_macro2::TokenStream) {
        match self {
            Self::Reference(reference) => reference.to_tokens(tokens),
            Self::Lifetime(lifetime) => lifetime.to_tokens(tokens),
            Self::Cow(ty) => ty.to_tokens(tokens),
        }
    }
}

struct BorrowSearch<'a>(Option<Borrow<'a>>);

impl<'a> Visit<'a> for BorrowSearch<'a> {
    fn visit_type(&mut self, ty: &'a Type) {
        if is_unsized_cow(ty) {
            self.0.get_or_insert(Borrow::Cow(ty));
        }
        visit::visit_type(self, ty);
    }

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

/// Whether this is `Cow<str>` or `Cow<[u8]>`. A type of the user's may also be called `Cow`.
fn is_unsized_cow(ty: &Type) -> bool {
    is_named(ty, "Cow")
        && !has_lifetime(ty)
        && matches!(arguments_of(ty)[..], [inner]
            if is_named(inner, "str") || matches!(ungroup(inner), Type::Slice(_)))
}

fn has_lifetime(ty: &Type) -> bool {
    last_segment(ty).is_some_and(|segment| match &segment.arguments {
        PathArguments::AngleBracketed(arguments) => arguments
            .args
            .iter()
            .any(|argument| matches!(argument, GenericArgument::Lifetime(_))),
        _ => false,
    })
}
