//! From an event to the method and back: one function per handler.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::Path;

use super::wires::{argument_wire, error_wire, result_parts, result_wire};
use super::{at_type, outside};
use crate::model::{Argument, ArgumentKind, Behaviour, Handler, MessageFlavour, Output, Passing};
use crate::names::plain;

/// What reaches a method decides where its arguments come from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// RPC, routes and upgrades: arguments by name.
    Call,
    Alarm,
    /// `#[init]` and the events of sockets.
    Event,
}

impl Entry {
    pub fn function(self, handler: &Handler<'_>) -> Ident {
        let name = plain(handler.name);
        match self {
            Self::Call => format_ident!("__call_{name}"),
            Self::Alarm => format_ident!("__alarm_{name}"),
            Self::Event => format_ident!("__event_{name}"),
        }
    }
}

fn entries(handler: &Handler<'_>) -> Vec<Entry> {
    let roles = &handler.roles;
    let mut entries = Vec::new();
    if roles.rpc.is_some() || roles.on_route() {
        entries.push(Entry::Call);
    }
    if roles.alarm.is_some() {
        entries.push(Entry::Alarm);
    }
    if roles.init.is_some() || roles.on_socket() {
        entries.push(Entry::Event);
    }
    entries
}

pub fn functions(behaviour: &Behaviour<'_>) -> TokenStream {
    behaviour
        .handlers
        .iter()
        .flat_map(|handler| {
            entries(handler)
                .into_iter()
                .map(move |entry| function(behaviour, handler, entry))
        })
        .collect()
}

fn function(behaviour: &Behaviour<'_>, handler: &Handler<'_>, entry: Entry) -> TokenStream {
    let function = entry.function(handler);
    let path = behaviour.path;
    let (object_type, downcast) = if handler.exclusive {
        (quote!(mut dyn ::core::any::Any), quote!(object_mut))
    } else {
        (quote!(dyn ::core::any::Any), quote!(object_ref))
    };
    let body = body(behaviour, handler, entry);
    if handler.is_async {
        quote! {
            fn #function<'a>(
                object: &'a #object_type,
                ctx: &'a ::anchorhold::Ctx,
                mut call: ::anchorhold::__private::Call,
            ) -> ::anchorhold::__private::LocalFuture<'a> {
                ::std::boxed::Box::pin(async move {
                    let call = &mut call;
                    let object = ::anchorhold::__private::#downcast::<#path>(object)?;
                    #body
                })
            }
        }
    } else {
        quote! {
            fn #function(
                object: &#object_type,
                ctx: &::anchorhold::Ctx,
                call: &mut ::anchorhold::__private::Call,
            ) -> ::anchorhold::__private::Outcome {
                let object = ::anchorhold::__private::#downcast::<#path>(object)?;
                #body
            }
        }
    }
}

fn body(behaviour: &Behaviour<'_>, handler: &Handler<'_>, entry: Entry) -> TokenStream {
    let path = behaviour.path;
    let method = handler.name;
    let mut decodes = TokenStream::new();
    let mut passed = Vec::new();
    let mut bound = 0_usize;
    for (position, argument) in handler.arguments.iter().enumerate() {
        let variable = format_ident!("argument_{position}");
        let decode = match argument.kind {
            ArgumentKind::Context => {
                passed.push(quote!(ctx));
                continue;
            }
            ArgumentKind::Request => quote!(call.request()?),
            ArgumentKind::CloseEvent => quote!(call.close_event()?),
            ArgumentKind::SocketError => quote!(call.socket_error()?),
            ArgumentKind::AlarmRun => quote!(call.alarm_run()?),
            ArgumentKind::Socket(session) => {
                let session = session.map(|session| outside(session, path));
                let session = session.map_or(quote!(()), |session| quote!(#session));
                quote!(call.socket::<#session>()?)
            }
            ArgumentKind::Value(passing) => {
                let site = ValueSite {
                    handler,
                    argument,
                    position,
                    bound,
                    path,
                };
                bound += 1;
                site.decode(entry, passing)
            }
        };
        decodes.extend(quote!(let #variable = #decode;));
        passed.push(match argument.kind {
            ArgumentKind::Socket(_) | ArgumentKind::Value(Passing::Text | Passing::Bytes) => {
                quote!(&#variable)
            }
            _ => quote!(#variable),
        });
    }
    let awaited = handler.is_async.then(|| quote!(.await));
    let value = quote!(#path::#method(object, #(#passed),*)#awaited);
    let reply = reply(handler, &value, path);
    quote!(#decodes #reply)
}

/// One value on its way into a method.
struct ValueSite<'h, 'a> {
    handler: &'h Handler<'a>,
    argument: &'h Argument<'a>,
    position: usize,
    /// Its number among the values: the context and the like are not sent.
    bound: usize,
    path: &'h Path,
}

impl ValueSite<'_, '_> {
    fn decode(&self, entry: Entry, passing: Passing<'_>) -> TokenStream {
        match entry {
            Entry::Call => self.decode_argument(passing),
            Entry::Alarm => {
                let payload = super::schedules::payload_wire(self.handler);
                quote!(#payload.decode(call)?)
            }
            Entry::Event => self.decode_message(passing),
        }
    }

    fn decode_argument(&self, passing: Passing<'_>) -> TokenStream {
        let Self {
            handler,
            argument,
            position,
            bound,
            path,
        } = self;
        let name = &argument.name;
        let accessor = if argument.body.is_some() {
            quote!(body)
        } else {
            quote!(argument)
        };
        match passing {
            Passing::Text => quote!(call.#accessor::<::std::string::String>(#bound, #name)?),
            Passing::Bytes => {
                quote!(call.#accessor::<::std::vec::Vec<::core::primitive::u8>>(#bound, #name)?)
            }
            Passing::Owned(_) if handler.roles.rpc.is_some() => {
                let wire = argument_wire(handler, *position);
                quote!(#wire.#accessor(call, #bound, #name)?)
            }
            Passing::Owned(ty) => {
                let ty = outside(ty, path);
                let decode = at_type(
                    &quote!(Call::#accessor),
                    &ty,
                    &quote!(>(call, #bound, #name)),
                );
                quote!(#decode?)
            }
        }
    }

    fn decode_message(&self, passing: Passing<'_>) -> TokenStream {
        let flavour = self
            .handler
            .roles
            .message
            .as_ref()
            .map(|message| message.flavour);
        match (flavour, passing) {
            (Some(MessageFlavour::Text), _) => quote!(call.text()?),
            (Some(MessageFlavour::Binary), _) => quote!(call.binary()?),
            (_, Passing::Owned(ty)) => {
                let ty = outside(ty, self.path);
                let decode = at_type(&quote!(Call::message), &ty, &quote!(>(call)));
                quote!(#decode?)
            }
            (_, Passing::Text | Passing::Bytes) => quote!(call.text()?),
        }
    }
}

fn reply(handler: &Handler<'_>, value: &TokenStream, path: &Path) -> TokenStream {
    let is_rpc = handler.roles.rpc.is_some();
    let wire = result_wire(handler);
    let plain_reply = |value: TokenStream, ty: TokenStream| {
        if is_rpc {
            quote!(#wire.reply(#value))
        } else {
            at_type(&quote!(reply), &ty, &quote!(, _>(#value)))
        }
    };
    match &handler.output {
        Output::Nothing => {
            let reply = if is_rpc {
                quote!(#wire.reply(()))
            } else {
                quote!(::anchorhold::__private::reply(()))
            };
            quote!(#value; #reply)
        }
        Output::Text(_) => plain_reply(
            quote!(<::std::string::String as ::core::convert::From<&::core::primitive::str>>::from(#value)),
            quote!(::std::string::String),
        ),
        Output::Plain(ty) => plain_reply(value.clone(), outside(ty, path).into_token_stream()),
        Output::Fallible { .. } if is_rpc => {
            let failed = error_wire(handler);
            quote!(#wire.reply_result(&#failed, #value))
        }
        Output::Fallible { whole, parts } => {
            let (ok, error) = result_parts(whole, *parts, path);
            at_type(
                &quote!(reply_result),
                &quote!(#ok, #error),
                &quote!(, _>(#value)),
            )
        }
    }
}
