//! Generates the typed remote methods of the stub.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::Visibility;

use super::descriptors::{self, Fallible, value_type};
use super::shared::shared_attributes;
use super::tokens::{quiet, stub_path};
use crate::model::{Argument, Handler, ObjectImpl, PassBy};
use crate::names::unraw;
use crate::parse::resolve_self;

pub fn methods(block: &ObjectImpl<'_>) -> TokenStream {
    let stub = stub_path(block.path);
    let methods = block.methods().map(|handler| method(block, handler));
    quote! {
        #[automatically_derived]
        impl #stub {
            #(#methods)*
        }
    }
}

/// Returns the user's restricted visibility, or else that of the stub. A handler without a
/// visibility can still be called remotely.
fn visibility(handler: &Handler<'_>) -> TokenStream {
    match &handler.raw.visibility {
        restricted @ Visibility::Restricted(_) => restricted.to_token_stream(),
        Visibility::Public(_) | Visibility::Inherited => quote!(pub),
    }
}

fn method(block: &ObjectImpl<'_>, handler: &Handler<'_>) -> TokenStream {
    let name = quiet(handler.name);
    let remote_name = unraw(handler.name);
    let attributes = shared_attributes(
        &handler.raw.attributes,
        block.name,
        &format!(
            " Calls `{}::{remote_name}` on the object.",
            unraw(block.name)
        ),
    );
    let visibility = visibility(handler);
    // Mixed-site hygiene separates this name from the user's arguments in the same scope.
    let arguments = Ident::new("__arguments", Span::mixed_site());
    let parameters = handler
        .values()
        .filter_map(|argument| parameter(block, argument));
    let pushes = handler
        .values()
        .filter_map(|argument| push(handler, argument, &arguments));
    let count = handler.values().count();
    let value = value_type(handler, block);
    let returned = descriptors::returned(handler);
    let (error, call) = match Fallible::of(handler, block) {
        Some(fallible) => {
            let error = fallible.error();
            let failed = descriptors::failed(handler);
            (
                quote!(__anchorhold::CallError<#error>),
                quote!(call_fallible(__anchorhold::Stub::core(self), &#returned, &#failed, #remote_name, #arguments)),
            )
        }
        None => (
            quote!(__anchorhold::CallError),
            quote!(call(__anchorhold::Stub::core(self), &#returned, #remote_name, #arguments)),
        ),
    };
    let mutability = (count > 0).then(|| quote!(mut));
    quote! {
        #attributes
        #visibility fn #name(
            &self,
            #(#parameters),*
        ) -> __anchorhold::PendingCall<
            impl ::core::future::Future<
                Output = ::core::result::Result<#value, #error>
            > + use<>
        > {
            let #mutability #arguments = __anchored::Arguments::new(#count);
            #(#pushes;)*
            __anchored::StubCore::#call
        }
    }
}

fn parameter(block: &ObjectImpl<'_>, argument: &Argument<'_>) -> Option<TokenStream> {
    let name = quiet(argument.identifier);
    let ty = match argument.pass_by()? {
        PassBy::Text => quote!(&::core::primitive::str),
        PassBy::Bytes => quote!(&[::core::primitive::u8]),
        PassBy::Value(ty) => resolve_self(ty, block.path).into_token_stream(),
    };
    Some(quote!(#name: #ty))
}

fn push(handler: &Handler<'_>, argument: &Argument<'_>, arguments: &Ident) -> Option<TokenStream> {
    let name = quiet(argument.identifier);
    let wire_name = &argument.name;
    Some(match argument.pass_by()? {
        PassBy::Text | PassBy::Bytes => {
            quote!(__anchored::Arguments::push(&mut #arguments, #wire_name, #name))
        }
        PassBy::Value(_) => {
            let parameter = descriptors::parameter(handler, argument);
            quote!(__anchored::Parameter::push(&#parameter, &mut #arguments, &#name))
        }
    })
}
