//! The typed remote methods of the stub.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::Attribute;

use super::wires::{argument_wire, error_wire, result_parts, result_type, result_wire};
use super::{outside, stub_path};
use crate::model::{Behaviour, Handler, Output, Passing};
use crate::names::plain;

pub fn methods(behaviour: &Behaviour<'_>) -> TokenStream {
    let stub = stub_path(behaviour.path);
    let methods = behaviour
        .handlers
        .iter()
        .filter(|handler| handler.roles.rpc.is_some())
        .map(|handler| method(behaviour, handler));
    quote! {
        impl #stub {
            #(#methods)*
        }
    }
}

/// The documentation of a method belongs to its remote twin too.
pub fn documentation(attributes: &[Attribute], otherwise: &str) -> TokenStream {
    let copied: Vec<&Attribute> = attributes
        .iter()
        .filter(|attribute| {
            attribute.path().is_ident("doc") || attribute.path().is_ident("deprecated")
        })
        .collect();
    if copied
        .iter()
        .any(|attribute| attribute.path().is_ident("doc"))
    {
        quote!(#(#copied)*)
    } else {
        quote!(#[doc = #otherwise] #(#copied)*)
    }
}

fn method(behaviour: &Behaviour<'_>, handler: &Handler<'_>) -> TokenStream {
    let path = behaviour.path;
    let name = handler.name;
    let remote_name = plain(name);
    let class = plain(behaviour.class);
    let documentation = documentation(
        &handler.raw.attributes,
        &format!(" Calls [`{class}::{remote_name}`] on the object."),
    );
    // The user's arguments share the scope: only hygiene keeps ours apart.
    let arguments = Ident::new("arguments", Span::mixed_site());
    let mut parameters = Vec::new();
    let mut pushes = Vec::new();
    for (position, argument) in handler.arguments.iter().enumerate() {
        let Some(passing) = argument.passing() else {
            continue;
        };
        let parameter = argument.identifier;
        let wire_name = &argument.name;
        let (ty, push) = match passing {
            Passing::Text => (
                quote!(&::core::primitive::str),
                quote!(#arguments.push(#wire_name, #parameter)),
            ),
            Passing::Bytes => (
                quote!(&[::core::primitive::u8]),
                quote!(#arguments.push(#wire_name, #parameter)),
            ),
            Passing::Owned(ty) => {
                let wire = argument_wire(handler, position);
                let ty = outside(ty, path);
                (
                    quote!(#ty),
                    quote!(#wire.push(&mut #arguments, #wire_name, &#parameter)),
                )
            }
        };
        parameters.push(quote!(#parameter: #ty));
        pushes.push(push);
    }
    let count = pushes.len();
    let value = result_type(&handler.output, path);
    let wire = result_wire(handler);
    let (error, call) = match &handler.output {
        Output::Fallible { whole, parts } => {
            let (_, error) = result_parts(whole, *parts, path);
            let failed = error_wire(handler);
            (
                quote!(::anchorhold::CallError<#error>),
                quote!(call_fallible(&#wire, &#failed, #remote_name, #arguments)),
            )
        }
        _ => (
            quote!(::anchorhold::CallError),
            quote!(call(&#wire, #remote_name, #arguments)),
        ),
    };
    let mutability = (count > 0).then(|| quote!(mut));
    quote_spanned! {Span::call_site()=>
        #documentation
        pub fn #name(
            &self,
            #(#parameters),*
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<#value, #error>
        > + use<> {
            let #mutability #arguments = ::anchorhold::__private::Arguments::new(#count);
            #(#pushes;)*
            ::anchorhold::Stub::core(self).#call
        }
    }
}
