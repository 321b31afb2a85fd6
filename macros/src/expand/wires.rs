//! A type that crosses to another object states its bounds once, in a constant that the handler and the stub both go
//! through: a type that cannot travel is then one error at one place.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::{Path, Type};

use super::{at_type, outside, through_trait};
use crate::model::{ArgumentKind, Behaviour, Handler, Output, Passing};
use crate::names::plain;

pub fn argument_wire(handler: &Handler<'_>, position: usize) -> Ident {
    format_ident!("__{}_{position}", plain(handler.name).to_uppercase())
}

pub fn result_wire(handler: &Handler<'_>) -> Ident {
    format_ident!("__{}_RESULT", plain(handler.name).to_uppercase())
}

pub fn error_wire(handler: &Handler<'_>) -> Ident {
    format_ident!("__{}_ERROR", plain(handler.name).to_uppercase())
}

/// The value and the error of a fallible handler.
pub fn result_parts(
    whole: &Type,
    parts: Option<(&Type, &Type)>,
    path: &Path,
) -> (TokenStream, TokenStream) {
    if let Some((value, error)) = parts {
        return (
            outside(value, path).into_token_stream(),
            outside(error, path).into_token_stream(),
        );
    }
    let whole = outside(whole, path);
    let projected = |side| through_trait(&whole, &quote!(__private::IsResult), &side);
    (projected(quote!(Value)), projected(quote!(Error)))
}

/// What a caller receives from a handler that does not fail.
pub fn result_type(output: &Output<'_>, path: &Path) -> TokenStream {
    match output {
        Output::Nothing => quote!(()),
        Output::Text(_) => quote!(::std::string::String),
        Output::Plain(ty) => outside(ty, path).into_token_stream(),
        Output::Fallible { whole, parts } => result_parts(whole, *parts, path).0,
    }
}

/// The constants of every `#[rpc]` method.
pub fn wires(behaviour: &Behaviour<'_>) -> TokenStream {
    let mut wires = TokenStream::new();
    for handler in &behaviour.handlers {
        if handler.roles.rpc.is_some() {
            for (position, argument) in handler.arguments.iter().enumerate() {
                if let Some(Passing::Owned(ty)) = argument.passing() {
                    let name = argument_wire(handler, position);
                    wires.extend(wire(&name, "Parameter", &outside(ty, behaviour.path)));
                }
            }
            let result = result_type(&handler.output, behaviour.path);
            wires.extend(wire(&result_wire(handler), "Returned", &result));
            if let Output::Fallible { whole, parts } = handler.output {
                let (_, error) = result_parts(whole, parts, behaviour.path);
                wires.extend(wire(&error_wire(handler), "Failed", &error));
            }
        }
    }
    wires.extend(sessions(behaviour));
    wires
}

pub fn wire(name: &Ident, generic: &str, ty: &impl ToTokens) -> TokenStream {
    let generic = format_ident!("{generic}");
    let constructor = at_type(&quote!(#generic), ty, &quote!(>::new()));
    quote!(const #name: ::anchorhold::__private::#generic<#ty> = #constructor;)
}

/// A session is named by every handler of its socket, and checked at the first.
fn sessions(behaviour: &Behaviour<'_>) -> TokenStream {
    let mut seen = Vec::new();
    let mut checks = TokenStream::new();
    for argument in behaviour
        .handlers
        .iter()
        .flat_map(|handler| &handler.arguments)
    {
        let ArgumentKind::Socket(Some(session)) = argument.kind else {
            continue;
        };
        let session = outside(session, behaviour.path);
        if !seen.contains(&session) {
            let check = at_type(&quote!(assert_session), &session, &quote!(>));
            checks.extend(quote!(const _: fn() = #check;));
            seen.push(session);
        }
    }
    checks
}
