//! Model → generated code. The only place, with `fallback`, that quotes.
//!
//! Generated code is thin: it names things and calls the runtime. It names the runtime and the standard library by
//! absolute paths only, so that no name in the user's scope can change its meaning.

mod app;
mod class;
mod description;
mod dispatch;
mod object;
pub mod schedules;
mod stub;
mod test;
mod wires;

pub use app::app;
pub use object::{object, stub_type};
pub use test::test;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::visit_mut::{self, VisitMut};
use syn::{Ident, Path, PathArguments, Type};

use crate::model::Behaviour;
use crate::names::plain;

/// Everything an impl block expands to.
pub fn behaviour(behaviour: &Behaviour<'_>) -> TokenStream {
    let block = behaviour.raw;
    let wires = wires::wires(behaviour);
    let functions = dispatch::functions(behaviour);
    let description = description::description(behaviour);
    let stub = stub::methods(behaviour);
    let schedules_type = schedules::declaration(behaviour);
    let schedules = schedules::methods(behaviour);
    let class = class::class(behaviour);
    let lints = lints();
    quote! {
        #block
        #schedules_type
        #lints
        const _: () = {
            #wires
            #functions
            #description
            #stub
            #schedules
        };
        #class
    }
}

/// Lints that judge a user's style have nothing to say about generated code.
pub fn lints() -> TokenStream {
    quote! {
        #[allow(
            clippy::all,
            clippy::nursery,
            clippy::pedantic,
            clippy::restriction,
            dead_code,
            deprecated,
            private_bounds,
            private_interfaces,
            unreachable_pub,
            unused_qualifications,
            unused_variables
        )]
    }
}

/// `CounterStub`, beside `Counter`.
pub fn stub_path(path: &Path) -> Path {
    let mut stub = path.clone();
    if let Some(last) = stub.segments.last_mut() {
        last.ident = stub_name(&last.ident);
        last.arguments = PathArguments::None;
    }
    stub
}

fn stub_name(class: &Ident) -> Ident {
    format_ident!("{}Stub", plain(class), span = class.span())
}

/// The type as written in the impl block, for use outside it: there `Self` means nothing.
pub fn outside(ty: &Type, path: &Path) -> Type {
    let mut ty = ty.clone();
    ReplaceSelf(path).visit_type_mut(&mut ty);
    ty
}

struct ReplaceSelf<'a>(&'a Path);

impl VisitMut for ReplaceSelf<'_> {
    fn visit_path_mut(&mut self, path: &mut Path) {
        visit_mut::visit_path_mut(self, path);
        if path.leading_colon.is_some() {
            return;
        }
        if let Some(first) = path.segments.first()
            && first.ident == "Self"
        {
            let rest = path.segments.iter().skip(1).cloned();
            path.segments = self.0.segments.iter().cloned().chain(rest).collect();
            path.leading_colon = self.0.leading_colon;
        }
    }
}

/// `::anchorhold::__private::path::<ty rest`, such that a bound the type does not meet is reported at the
/// whole of the type: the tokens before it carry the span of its first token and those after it that of its last.
pub fn at_type(path: &TokenStream, ty: &impl ToTokens, rest: &TokenStream) -> TokenStream {
    let tokens = ty.to_token_stream();
    let (first, last) = ends(&tokens);
    let open = respan(quote!(::anchorhold::__private::#path::<), first);
    let close = respan(rest.clone(), last);
    quote!(#open #tokens #close)
}

pub fn ends(tokens: &TokenStream) -> (Span, Span) {
    let mut spans = tokens.clone().into_iter().map(|token| token.span());
    let first = spans.next().unwrap_or_else(Span::call_site);
    (first, spans.last().unwrap_or(first))
}

fn respan(tokens: TokenStream, span: Span) -> TokenStream {
    tokens
        .into_iter()
        .map(|mut token| {
            token.set_span(span);
            token
        })
        .collect()
}

/// `<ty as Trait>::item`, with the spans of [`at_type`].
pub fn through_trait(ty: &impl ToTokens, path: &TokenStream, item: &TokenStream) -> TokenStream {
    let tokens = ty.to_token_stream();
    let (first, last) = ends(&tokens);
    let open = respan(quote!(<), first);
    let close = respan(quote!(as ::anchorhold::#path>::#item), last);
    quote!(#open #tokens #close)
}
