//! Generates the typed schedules of an object, which `Self::schedules(ctx)` returns.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::{Attribute, Path};

use super::descriptors;
use super::shared::shared_attributes;
use super::tokens::{Outside, outside, quiet};
use crate::model::{Handler, ObjectImpl};
use crate::names::unraw;
use crate::parse::resolve_self;

pub fn type_name(struct_name: &Ident) -> Ident {
    quiet(&format_ident!(
        "{}Schedules",
        unraw(struct_name),
        span = struct_name.span()
    ))
}

/// Generates `CounterSchedules`, beside `Counter`.
pub fn declaration(block: &ObjectImpl<'_>) -> TokenStream {
    if block.alarms().next().is_none() {
        return TokenStream::new();
    }
    let name = type_name(block.name);
    let krate = block.krate;
    let conditions = block.conditions();
    let documentation = format!(
        " Schedules the alarms of a `{}`; one method per alarm.",
        unraw(block.name)
    );
    structure(krate, &conditions, &quote!(#[doc = #documentation]), &name)
}

/// Generates the type itself.
pub fn structure(
    krate: &Path,
    conditions: &[&Attribute],
    attributes: &TokenStream,
    name: &Ident,
) -> TokenStream {
    let Outside { import, anchored } = outside(krate, conditions, &format_ident!("__{name}"));
    quote! {
        #import
        #(#conditions)*
        #attributes
        pub struct #name<'a>(&'a #anchored::Ctx);
    }
}

pub fn methods(block: &ObjectImpl<'_>) -> TokenStream {
    if block.alarms().next().is_none() {
        return TokenStream::new();
    }
    let path = block.path;
    let name = type_name(block.name);
    let methods = block.alarms().map(|handler| method(block, handler));
    quote! {
        #[automatically_derived]
        impl #path {
            /// Schedules, looks up and cancels this object's alarms.
            pub fn schedules(__ctx: &__anchorhold::Ctx) -> #name<'_> {
                #name(__ctx)
            }
        }

        #[automatically_derived]
        impl<'a> #name<'a> {
            #(#methods)*
        }
    }
}

fn method(block: &ObjectImpl<'_>, handler: &Handler<'_>) -> TokenStream {
    let name = unraw(handler.name);
    let method = quiet(handler.name);
    let cancel = quiet(&format_ident!("cancel_{name}", span = method.span()));
    let next = quiet(&format_ident!("next_{name}", span = method.span()));
    let attributes = shared_attributes(
        &handler.raw.attributes,
        block.name,
        &format!(" Schedules `{}::{name}`.", unraw(block.name)),
    );
    let cancel_documentation = format!(
        " Cancels the pending run of `{name}` with this key. Returns whether there was one."
    );
    let next_documentation = format!(
        " Returns when `{name}` with this key runs next, or `None` if it is not scheduled."
    );
    let (parameter, scheduling) = match descriptors::payload_type(handler) {
        Some(ty) => {
            let ty = resolve_self(ty, block.path);
            let payload = descriptors::payload(handler);
            (
                quote!(__payload: #ty),
                quote!(__anchored::Payload::schedule(&#payload, self.0, #name, &__payload)),
            )
        }
        None => (
            TokenStream::new(),
            quote!(__anchored::scheduling(self.0, #name, &())),
        ),
    };
    quote! {
        #attributes
        pub fn #method(&self, #parameter) -> __anchorhold::Scheduling<'a> {
            #scheduling
        }

        #[doc = #cancel_documentation]
        pub fn #cancel(
            &self,
            __key: &::core::primitive::str,
        ) -> ::core::result::Result<::core::primitive::bool, __anchorhold::StorageError> {
            __anchored::cancel(self.0, #name, __key)
        }

        #[doc = #next_documentation]
        pub fn #next(
            &self,
            __key: &::core::primitive::str,
        ) -> ::core::result::Result<
            ::core::option::Option<__anchorhold::Timestamp>,
            __anchorhold::StorageError,
        > {
            __anchored::next_run(self.0, #name, __key)
        }
    }
}
