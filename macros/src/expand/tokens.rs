//! Fragments of generated code that several parts use, and the spans of their tokens.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::{Attribute, Ident, Path, PathArguments};

use crate::names::unraw;

/// Names the attributes of this crate, which are not in the expansion otherwise, with the spans of
/// the user's tokens. An editor then shows their documentation there.
pub fn named<'a>(attributes: impl Iterator<Item = &'a Ident>) -> TokenStream {
    // One `use` for each, because names in a group are linted as the user's own.
    quote!(#(use __anchorhold::#attributes as _;)*)
}

/// Puts generated items into a separate scope, under the conditions of the user's item.
pub fn in_block(krate: &Path, conditions: &[&Attribute], items: TokenStream) -> TokenStream {
    let imports = imports(krate);
    quote! {
        #(#conditions)*
        const _: () = {
            #imports
            use __anchored::Unrecognised as _;
            #items
        };
    }
}

/// The runtime's part for generated code, as generated items outside of a block name it.
pub struct Outside {
    pub import: TokenStream,
    pub anchored: TokenStream,
}

/// Names the runtime outside of a block. A path that the user gave may not exist, so it is imported
/// as `alias`: of two imports that fail at one token, the compiler reports one.
pub fn outside(krate: &Path, conditions: &[&Attribute], alias: &Ident) -> Outside {
    let path = quote!(#krate::__private);
    if *krate == usual_path() {
        return Outside {
            import: TokenStream::new(),
            anchored: path,
        };
    }
    Outside {
        import: quote!(#(#conditions)* use #path as #alias;),
        anchored: alias.to_token_stream(),
    }
}

/// The path of the runtime unless the user gives another.
pub fn usual_path() -> Path {
    syn::parse_quote!(::anchorhold)
}

/// Names the runtime `__anchorhold`, and its part for generated code `__anchored`. If the first
/// import fails, the compiler reports no errors for the code that needs it.
pub fn imports(krate: &Path) -> TokenStream {
    quote! {
        use #krate::__private as __anchored;
        use __anchored::anchorhold as __anchorhold;
    }
}

/// Returns the user's name for a generated item. It resolves where the user wrote it, but the item
/// belongs to the attribute. Lints thus do not ask the user for another name, a use or a comment.
pub fn quiet(name: &Ident) -> Ident {
    let span = Span::call_site().located_at(name.span());
    if name == RESERVED_SINCE_2024 {
        return Ident::new_raw(RESERVED_SINCE_2024, span);
    }
    let mut name = name.clone();
    name.set_span(span);
    name
}

/// An ordinary name for users of edition 2021. Tokens of the attribute are read in the attribute's
/// edition, where it is a keyword.
const RESERVED_SINCE_2024: &str = "gen";

/// Returns the path of `CounterStub`, beside `Counter`.
pub fn stub_path(path: &Path) -> Path {
    let mut stub = path.clone();
    if let Some(last) = stub.segments.last_mut() {
        last.ident = stub_name(&last.ident);
        last.arguments = PathArguments::None;
    }
    stub
}

pub fn stub_name(class: &Ident) -> Ident {
    format_ident!("{}Stub", unraw(class), span = class.span())
}

/// Generates `__anchored::path::<generics>tail`. An unsatisfied bound is reported at all of
/// `shown`: tokens before the generics have the span of its first token, and tokens after them that
/// of its last.
pub fn private_at(
    shown: &impl ToTokens,
    path: &TokenStream,
    generics: &TokenStream,
    tail: &TokenStream,
) -> TokenStream {
    let (first, last) = first_and_last_span(&shown.to_token_stream());
    let open = respan(quote!(__anchored::#path::<), first);
    let close = respan(quote!(> #tail), last);
    quote!(#open #generics #close)
}

/// Generates `<ty as __anchored::Trait>::item`, with the spans of [`private_at`].
pub fn project_at(ty: &impl ToTokens, path: &TokenStream, item: &TokenStream) -> TokenStream {
    let (first, last) = first_and_last_span(&ty.to_token_stream());
    let open = respan(quote!(<), first);
    let close = respan(quote!(as __anchored::#path>::#item), last);
    quote!(#open #ty #close)
}

/// Generates a const argument with what the compiler knows of a type: see `recognition` in the
/// runtime. It has the span of `shown`, because an error may be reported at any argument of a
/// generic path.
pub fn probe(shown: &impl ToTokens, ty: &impl ToTokens, constant: &str) -> TokenStream {
    let constant = format_ident!("{constant}");
    let known = private_at(shown, &quote!(Probe), &quote!(#ty), &quote!(::#constant));
    quote!({ #known })
}

pub fn first_and_last_span(tokens: &TokenStream) -> (Span, Span) {
    let mut spans = tokens.clone().into_iter().map(|token| token.span());
    let first = spans.next().unwrap_or_else(Span::call_site);
    (first, spans.last().unwrap_or(first))
}

/// Sets the span of the tokens. The contents of groups keep theirs.
pub fn respan(tokens: TokenStream, span: Span) -> TokenStream {
    tokens
        .into_iter()
        .map(|mut token| {
            token.set_span(span);
            token
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_that_is_a_keyword_of_this_crates_edition_is_raw() {
        let of = |name| quiet(&Ident::new(name, Span::call_site())).to_string();
        assert_eq!(of("gen"), "r#gen");
        assert_eq!(of("generate"), "generate");
    }
}
