//! The table that lists what a class can do.

use proc_macro2::TokenStream;
use quote::quote;
use syn::LitStr;

use super::dispatch::Entry;
use super::stub_path;
use crate::model::{ArgumentKind, Behaviour, Handler, MessageFlavour, Recurrence, Route};
use crate::names::{camel_case, plain, screaming_snake_case};

fn handler_expression(handler: &Handler<'_>, entry: Entry) -> TokenStream {
    let function = entry.function(handler);
    let variant = match (handler.is_async, handler.exclusive) {
        (false, false) => quote!(Read),
        (false, true) => quote!(Write),
        (true, false) => quote!(Shared),
        (true, true) => quote!(Exclusive),
    };
    let takes_context = handler
        .arguments
        .iter()
        .any(|argument| matches!(argument.kind, ArgumentKind::Context));
    quote! {
        ::anchorhold::__private::Handler {
            run: ::anchorhold::__private::Run::#variant(#function),
            takes_context: #takes_context,
        }
    }
}

fn optional(handler: Option<&Handler<'_>>) -> TokenStream {
    match handler {
        None => quote!(::core::option::Option::None),
        Some(handler) => {
            let handler = handler_expression(handler, Entry::Event);
            quote!(::core::option::Option::Some(#handler))
        }
    }
}

pub fn description(behaviour: &Behaviour<'_>) -> TokenStream {
    let path = behaviour.path;
    let stub = stub_path(path);
    // Through the stub, so that a struct without its attribute is not reported here once more.
    let object = quote!(<#stub as ::anchorhold::Stub>::Object);
    let class = plain(behaviour.class);
    let binding = screaming_snake_case(&class);
    let handlers = &behaviour.handlers;
    let init = optional(handlers.iter().find(|handler| handler.roles.init.is_some()));
    let methods = handlers
        .iter()
        .filter(|handler| handler.roles.rpc.is_some())
        .map(method);
    let routes = handlers.iter().flat_map(|handler| {
        let routes = handler.roles.routes.iter().chain(&handler.roles.websocket);
        routes.map(move |entry| route(handler, entry))
    });
    let alarms = handlers.iter().filter_map(alarm);
    let message = |flavour| {
        optional(handlers.iter().find(|handler| {
            handler
                .roles
                .message
                .as_ref()
                .is_some_and(|message| message.flavour == flavour)
        }))
    };
    let json = message(MessageFlavour::Json);
    let text = message(MessageFlavour::Text);
    let binary = message(MessageFlavour::Binary);
    let close = optional(
        handlers
            .iter()
            .find(|handler| handler.roles.close.is_some()),
    );
    let error = optional(
        handlers
            .iter()
            .find(|handler| handler.roles.error.is_some()),
    );
    quote! {
        impl ::anchorhold::DurableObject for #path {
            const CLASS: &'static ::core::primitive::str = #class;
            type Stub = #stub;

            fn __description() -> &'static ::anchorhold::__private::Description {
                static DESCRIPTION: ::anchorhold::__private::Description =
                    ::anchorhold::__private::Description {
                        class: #class,
                        binding: #binding,
                        keys: <#object as ::anchorhold::__private::StoredFields>::KEYS,
                        migrations: <#object as ::anchorhold::__private::StoredFields>::MIGRATIONS,
                        load: ::anchorhold::__private::load_object::<#object>,
                        init: #init,
                        methods: &[#(#methods),*],
                        routes: &[#(#routes),*],
                        alarms: &[#(#alarms),*],
                        sockets: ::anchorhold::__private::SocketHandlers {
                            json: #json,
                            text: #text,
                            binary: #binary,
                            close: #close,
                            error: #error,
                        },
                    };
                &DESCRIPTION
            }
        }
    }
}

fn method(handler: &Handler<'_>) -> TokenStream {
    let name = plain(handler.name);
    let javascript_name = camel_case(&name);
    let expression = handler_expression(handler, Entry::Call);
    quote! {
        ::anchorhold::__private::Method {
            name: #name,
            js_name: #javascript_name,
            handler: #expression,
        }
    }
}

fn route(handler: &Handler<'_>, route: &Route<'_>) -> TokenStream {
    let is_socket = handler.roles.websocket.is_some();
    let kind = if is_socket {
        quote!(Socket)
    } else {
        quote!(Call)
    };
    let method = route.method.as_str();
    let name = plain(handler.name);
    let path = LitStr::new(&route.path.value(), proc_macro2::Span::call_site());
    let empty = handler.output.is_empty();
    let status = route.status.unwrap_or(if empty { 204 } else { 200 });
    let expression = handler_expression(handler, Entry::Call);
    let unbound = || {
        handler
            .arguments
            .iter()
            .filter(|argument| argument.passing().is_some() && !route.binds(&argument.name))
    };
    let fields: Vec<&str> = unbound()
        .filter(|argument| argument.body.is_none())
        .map(|argument| argument.name.as_str())
        .collect();
    let takes_request = handler
        .arguments
        .iter()
        .any(|argument| matches!(argument.kind, ArgumentKind::Request));
    let body = if takes_request {
        quote!(Raw)
    } else if !route.method.has_body() {
        quote!(None)
    } else if unbound().any(|argument| argument.body.is_some()) {
        quote!(Whole)
    } else if fields.is_empty() {
        quote!(None)
    } else {
        quote!(Fields)
    };
    quote! {
        ::anchorhold::__private::Route {
            method: #method,
            path: #path,
            name: #name,
            handler: #expression,
            status: #status,
            kind: ::anchorhold::__private::RouteKind::#kind,
            body: ::anchorhold::__private::BodyUse::#body,
            fields: &[#(#fields),*],
        }
    }
}

fn alarm(handler: &Handler<'_>) -> Option<TokenStream> {
    let alarm = handler.roles.alarm.as_ref()?;
    let name = plain(handler.name);
    let expression = handler_expression(handler, Entry::Alarm);
    let recurrence = match &alarm.recurrence {
        Recurrence::Once => quote!(Once),
        Recurrence::EveryMillis(millis) => quote!(EveryMillis(#millis)),
        Recurrence::Cron(pattern) => quote!(Cron(#pattern)),
    };
    Some(quote! {
        ::anchorhold::__private::AlarmMethod {
            name: #name,
            handler: #expression,
            recurrence: ::anchorhold::__private::Recurrence::#recurrence,
        }
    })
}
