//! The typed schedules of an object: what `Self::schedules(ctx)` offers.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

use super::stub::documentation;
use super::wires::wire;
use super::{lints, outside};
use crate::model::{Behaviour, Handler, Passing};
use crate::names::plain;

pub fn payload_wire(handler: &Handler<'_>) -> Ident {
    format_ident!("__{}_PAYLOAD", plain(handler.name).to_uppercase())
}

fn alarms<'h, 'a>(behaviour: &'h Behaviour<'a>) -> impl Iterator<Item = &'h Handler<'a>> {
    behaviour
        .handlers
        .iter()
        .filter(|handler| handler.roles.alarm.is_some())
}

pub fn type_name(class: &Ident) -> Ident {
    format_ident!("{}Schedules", plain(class), span = class.span())
}

/// `CounterSchedules`, beside `Counter`.
pub fn declaration(behaviour: &Behaviour<'_>) -> TokenStream {
    if alarms(behaviour).next().is_none() {
        return TokenStream::new();
    }
    let name = type_name(behaviour.class);
    let class = plain(behaviour.class);
    let documentation =
        format!(" What a [`{class}`] can schedule: one method for each of its alarms.");
    let lints = lints();
    quote! {
        #[doc = #documentation]
        #lints
        pub struct #name<'a>(&'a ::anchorhold::Ctx);
    }
}

pub fn methods(behaviour: &Behaviour<'_>) -> TokenStream {
    if alarms(behaviour).next().is_none() {
        return TokenStream::new();
    }
    let path = behaviour.path;
    let name = type_name(behaviour.class);
    let wires = wires(behaviour);
    let methods = alarms(behaviour).map(|handler| method(behaviour, handler));
    quote! {
        #wires

        impl #path {
            /// The alarms of this object, to be scheduled, looked up or cancelled.
            pub fn schedules(ctx: &::anchorhold::Ctx) -> #name<'_> {
                #name(ctx)
            }
        }

        impl<'a> #name<'a> {
            #(#methods)*
        }
    }
}

/// The payload of an alarm, if it takes one.
fn payload<'h>(handler: &'h Handler<'_>) -> Option<&'h syn::Type> {
    handler
        .arguments
        .iter()
        .find_map(|argument| match argument.passing() {
            Some(Passing::Owned(ty)) => Some(ty),
            _ => None,
        })
}

/// The constants through which payloads travel, between the schedule and the handler.
fn wires(behaviour: &Behaviour<'_>) -> TokenStream {
    alarms(behaviour)
        .filter_map(|handler| {
            let ty = outside(payload(handler)?, behaviour.path);
            Some(wire(&payload_wire(handler), "Payload", &ty))
        })
        .collect()
}

fn method(behaviour: &Behaviour<'_>, handler: &Handler<'_>) -> TokenStream {
    let method = handler.name;
    let name = plain(method);
    let cancel = format_ident!("cancel_{name}");
    let next = format_ident!("next_{name}");
    let class = plain(behaviour.class);
    let documentation = documentation(
        &handler.raw.attributes,
        &format!(" Schedules [`{class}::{name}`]."),
    );
    let cancel_documentation = format!(" Cancels `{name}` under `key`; whether it was scheduled.");
    let next_documentation = format!(" When `{name}` under `key` runs next, if it is scheduled.");
    let (parameter, scheduling) = match payload(handler) {
        Some(ty) => {
            let ty = outside(ty, behaviour.path);
            let wire = payload_wire(handler);
            (
                quote!(payload: #ty),
                quote!(#wire.schedule(self.0, #name, &payload)),
            )
        }
        None => (
            TokenStream::new(),
            quote!(::anchorhold::__private::scheduling(self.0, #name, &())),
        ),
    };
    quote! {
        #documentation
        pub fn #method(&self, #parameter) -> ::anchorhold::Scheduling<'a> {
            #scheduling
        }

        #[doc = #cancel_documentation]
        pub fn #cancel(
            &self,
            key: &::core::primitive::str,
        ) -> ::core::result::Result<::core::primitive::bool, ::anchorhold::StorageError> {
            ::anchorhold::__private::cancel(self.0, #name, key)
        }

        #[doc = #next_documentation]
        pub fn #next(
            &self,
            key: &::core::primitive::str,
        ) -> ::core::result::Result<
            ::core::option::Option<::anchorhold::Timestamp>,
            ::anchorhold::StorageError,
        > {
            ::anchorhold::__private::next_run(self.0, #name, key)
        }
    }
}
