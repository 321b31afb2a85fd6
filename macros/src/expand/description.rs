//! Generates the table of a class's methods.

use proc_macro2::{Literal, TokenStream};
use quote::quote;

use super::descriptors::{Fallible, is_request, may_be_request};
use super::dispatch::Entry;
use super::tokens::stub_path;
use crate::model::{
    Argument, ArgumentKind, Event, Handler, MessageFormat, ObjectImpl, Output, Receiver,
    Recurrence, Route, Whole, is_named, is_plain_value,
};
use crate::names::{camel_case, screaming_snake_case, unraw};
use crate::parse::resolve_self;

fn handler_expression(block: &ObjectImpl<'_>, handler: &Handler<'_>, event: Event) -> TokenStream {
    let function = Entry::of(event).function(handler);
    let constructor = match (handler.is_async, handler.receiver) {
        (false, Receiver::Shared) => quote!(read),
        (false, Receiver::Mut) => quote!(write),
        (true, Receiver::Shared) => quote!(shared),
        (true, Receiver::Mut) => quote!(exclusive),
    };
    let takes_context = takes_context(block, handler);
    quote!(__anchored::Handler::#constructor(#function, #takes_context))
}

/// Whether one of the references is to the context. The events of sockets also pass the socket by
/// reference.
fn takes_context(block: &ObjectImpl<'_>, handler: &Handler<'_>) -> TokenStream {
    let mut unknown = Vec::new();
    for argument in &handler.arguments {
        let ArgumentKind::Reference(referred) = argument.kind else {
            continue;
        };
        if !handler.is_of_socket() || is_named(referred, "Ctx") {
            return quote!(true);
        }
        unknown.push(resolve_self(referred, block.path));
    }
    if unknown.is_empty() {
        return quote!(false);
    }
    quote!(#(__anchored::Probe::<#unknown>::__KIND == __anchored::kind::CONTEXT)||*)
}

fn event_handler(block: &ObjectImpl<'_>, event: Event) -> TokenStream {
    match block.handler_of(event) {
        None => quote!(::core::option::Option::None),
        Some(handler) => {
            let handler = handler_expression(block, handler, event);
            quote!(::core::option::Option::Some(#handler))
        }
    }
}

pub fn description(block: &ObjectImpl<'_>) -> TokenStream {
    let path = block.path;
    let stub = stub_path(block.path);
    // Through the stub, so that a struct without its attribute is not reported again here.
    let object = quote!(<#stub as __anchorhold::Stub>::Object);
    let class = &block.class;
    let binding = screaming_snake_case(class);
    let methods = block.methods().map(|handler| method(block, handler));
    let routes = block.handlers.iter().flat_map(|handler| {
        handler
            .routes()
            .map(move |entry| route(block, handler, entry))
    });
    let alarms = block.alarms().filter_map(alarm);
    let alarm_handlers = block
        .alarms()
        .map(|handler| handler_expression(block, handler, Event::Alarm));
    let init = event_handler(block, Event::Init);
    let json = event_handler(block, Event::Message(MessageFormat::Json));
    let text = event_handler(block, Event::Message(MessageFormat::Text));
    let binary = event_handler(block, Event::Message(MessageFormat::Binary));
    let close = event_handler(block, Event::Close);
    let error = event_handler(block, Event::Error);
    quote! {
        #[automatically_derived]
        impl __anchorhold::DurableObject for #path {
            const CLASS: &'static ::core::primitive::str = #class;
            type Stub = #stub;

            fn __description() -> &'static __anchored::Description {
                static DESCRIPTION: __anchored::Description =
                    __anchored::Description {
                        class: __anchored::Class {
                            name: #class,
                            binding: #binding,
                            keys: <#object as __anchored::StoredFields>::KEYS,
                            migrations: <#object as __anchored::StoredFields>::MIGRATIONS,
                            alarms: &[#(#alarms),*],
                            table: || &DESCRIPTION,
                        },
                        load: __anchored::load_object::<#object>,
                        init: #init,
                        methods: &[#(#methods),*],
                        routes: &[#(#routes),*],
                        alarms: &[#(#alarm_handlers),*],
                        sockets: __anchored::SocketHandlers {
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

        // Prevents dead-code warnings for an object that the app does not mount yet.
        const _: fn() -> &'static __anchored::Description =
            <#object as __anchorhold::DurableObject>::__description;
    }
}

fn method(block: &ObjectImpl<'_>, handler: &Handler<'_>) -> TokenStream {
    let name = unraw(handler.name);
    let javascript_name = camel_case(&name);
    let expression = handler_expression(block, handler, Event::Rpc);
    quote!(__anchored::Method::new(#name, #javascript_name, #expression))
}

fn route(block: &ObjectImpl<'_>, handler: &Handler<'_>, route: &Route<'_>) -> TokenStream {
    let (upgrade, event) = if route.is_upgrade() {
        (Some(quote!(.upgrade())), Event::Upgrade)
    } else {
        (None, Event::Route)
    };
    let method = route.method.as_str();
    let name = unraw(handler.name);
    let path = route.canonical_path();
    let status = status(block, handler, route);
    let expression = handler_expression(block, handler, event);
    let unbound = || {
        handler
            .values()
            .filter(|argument| !route.has_parameter(&argument.name))
    };
    let fields: Vec<&str> = unbound()
        .filter(|argument| argument.mark.is_none())
        .map(|argument| argument.name.as_str())
        .collect();
    let body = if !route.method.has_body() {
        None
    } else if unbound().any(|argument| argument.takes(Whole::Body)) {
        Some(quote!(__anchored::BodyUse::Whole))
    } else if fields.is_empty() {
        None
    } else {
        Some(quote!(__anchored::BodyUse::Fields))
    };
    let requests: Vec<TokenStream> = handler
        .values()
        .filter(|argument| may_be_request(argument, route))
        .filter_map(|argument| argument.owned())
        .map(|ty| is_request(&resolve_self(ty, block.path)))
        .collect();
    let body = if requests.is_empty() {
        body
    } else {
        let otherwise = body.unwrap_or_else(|| quote!(__anchored::BodyUse::None));
        Some(quote! {
            if #(#requests)||* { __anchored::BodyUse::Raw } else { #otherwise }
        })
    };
    let body = body.map(|body| quote!(.body(#body)));
    let fields = (!fields.is_empty()).then(|| quote!(.fields(&[#(#fields),*])));
    let query = query(block, handler);
    let texts: Vec<TokenStream> = handler
        .values()
        .filter_map(|argument| text_argument(block, route, argument))
        .collect();
    let texts = (!texts.is_empty()).then(|| quote!(.texts(&[#(#texts),*])));
    let max_body = route.max_body.map(|bytes| {
        let bytes = Literal::u64_unsuffixed(bytes);
        quote!(.max_body(#bytes))
    });
    quote! {
        __anchored::Route::new(#method, #path, #name, #expression, #status)
            #upgrade #body #fields #query #texts #max_body
    }
}

/// Returns the argument that takes the whole query string.
fn query(block: &ObjectImpl<'_>, handler: &Handler<'_>) -> Option<TokenStream> {
    let argument = handler
        .values()
        .find(|argument| argument.takes(Whole::Query))?;
    let name = &argument.name;
    let ty = resolve_self(argument.owned()?, block.path);
    Some(quote! {
        .query(__anchored::QueryArgument {
            name: #name,
            misfit: __anchored::Probe::<#ty>::__QUERY_MISFIT,
        })
    })
}

/// An argument that the route reads from text, if the runtime must decide whether its type allows
/// that.
fn text_argument(
    block: &ObjectImpl<'_>,
    route: &Route<'_>,
    argument: &Argument<'_>,
) -> Option<TokenStream> {
    let ty = argument.owned().filter(|_| argument.mark.is_none())?;
    if is_plain_value(ty) {
        return None;
    }
    if !route.reads_as_text(&argument.name) {
        return None;
    }
    let name = &argument.name;
    let ty = resolve_self(ty, block.path);
    Some(quote! {
        __anchored::TextArgument {
            name: #name,
            misfit: __anchored::Probe::<#ty>::__TEXT_MISFIT,
        }
    })
}

/// Generates the status of a success.
fn status(block: &ObjectImpl<'_>, handler: &Handler<'_>, route: &Route<'_>) -> TokenStream {
    if let Some(status) = &route.status {
        let code = status.code;
        return quote!(#code);
    }
    if route.is_upgrade() {
        return quote!(101u16);
    }
    match (&handler.output, Fallible::of(handler, block)) {
        (_, Some(fallible)) => {
            let value = fallible.value();
            quote! {
                __anchored::success_status(
                    __anchored::Probe::<#value>::__IS_UNIT
                )
            }
        }
        (Output::Nothing, None) => quote!(204u16),
        (Output::Text(_) | Output::Plain(_) | Output::Probed(_), None) => quote!(200u16),
    }
}

fn alarm(handler: &Handler<'_>) -> Option<TokenStream> {
    let alarm = handler.alarm()?;
    let name = unraw(handler.name);
    let recurrence = match &alarm.recurrence {
        Recurrence::OnDemand => quote!(OnDemand),
        Recurrence::EveryMillis(millis) => quote!(EveryMillis(#millis)),
        Recurrence::Cron(pattern) => quote!(Cron(#pattern)),
    };
    Some(quote! {
        __anchored::Alarm {
            name: #name,
            recurrence: __anchored::Recurrence::#recurrence,
        }
    })
}
