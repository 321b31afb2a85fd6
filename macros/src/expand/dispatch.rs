//! Calls the method for an event and returns its result. Generates one function for each way to
//! invoke a method.
//!
//! Functions of the runtime are called by path, because a method call could resolve to a trait of
//! the user's.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::Type;

use super::descriptors::{self, Fallible, kind_of, value_at, value_kind, value_type};
use super::tokens::private_at;
use crate::model::{
    Argument, ArgumentKind, Event, Handler, MessageFormat, ObjectImpl, Output, PassBy, Receiver,
    Whole,
};
use crate::names::unraw;
use crate::parse::resolve_self;

/// How a method was invoked. This decides where its arguments come from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    Init,
    /// RPC and routes, whose arguments are passed by name.
    Call,
    Upgrade,
    Alarm,
    Message(MessageFormat),
    Close,
    Error,
}

impl Entry {
    pub fn of(event: Event) -> Self {
        match event {
            Event::Init => Self::Init,
            Event::Rpc | Event::Route => Self::Call,
            Event::Upgrade => Self::Upgrade,
            Event::Alarm => Self::Alarm,
            Event::Message(format) => Self::Message(format),
            Event::Close => Self::Close,
            Event::Error => Self::Error,
        }
    }

    pub fn function(self, handler: &Handler<'_>) -> Ident {
        let name = unraw(handler.name);
        match self {
            Self::Init => format_ident!("__init_{name}"),
            Self::Call => format_ident!("__call_{name}"),
            Self::Upgrade => format_ident!("__upgrade_{name}"),
            Self::Alarm => format_ident!("__alarm_{name}"),
            Self::Message(_) => format_ident!("__message_{name}"),
            Self::Close => format_ident!("__close_{name}"),
            Self::Error => format_ident!("__error_{name}"),
        }
    }
}

fn entries(handler: &Handler<'_>) -> Vec<Entry> {
    let mut entries = Vec::new();
    for role in &handler.roles {
        let entry = Entry::of(role.event());
        if !entries.contains(&entry) {
            entries.push(entry);
        }
    }
    entries
}

pub fn functions(block: &ObjectImpl<'_>) -> TokenStream {
    block
        .handlers
        .iter()
        .flat_map(|handler| {
            entries(handler)
                .into_iter()
                .map(move |entry| function(block, handler, entry))
        })
        .collect()
}

// The parameters have names that no constant or unit struct of the user's has. Such a name would be
// a pattern.
fn function(block: &ObjectImpl<'_>, handler: &Handler<'_>, entry: Entry) -> TokenStream {
    let function = entry.function(handler);
    let object_type = match handler.receiver {
        Receiver::Mut => quote!(mut dyn ::core::any::Any),
        Receiver::Shared => quote!(dyn ::core::any::Any),
    };
    let body = body(block, handler, entry);
    let allow = deprecated(handler);
    if handler.is_async {
        quote! {
            #allow
            fn #function<'__a>(
                __object: &'__a #object_type,
                __ctx: &'__a __anchorhold::Ctx,
                mut __call: __anchored::Input,
            ) -> __anchored::LocalFuture<'__a> {
                __anchored::std::Box::pin(async move {
                    let __call = &mut __call;
                    #body
                })
            }
        }
    } else {
        quote! {
            #allow
            fn #function(
                __object: &#object_type,
                __ctx: &__anchorhold::Ctx,
                __call: &mut __anchored::Input,
            ) -> __anchored::Outcome {
                #body
            }
        }
    }
}

/// Calling a deprecated handler is done by the platform, so the user must not be warned.
fn deprecated(handler: &Handler<'_>) -> Option<TokenStream> {
    handler
        .raw
        .attributes
        .iter()
        .any(|attribute| attribute.path().is_ident("deprecated"))
        .then(|| quote!(#[allow(deprecated)]))
}

fn body(block: &ObjectImpl<'_>, handler: &Handler<'_>, entry: Entry) -> TokenStream {
    let path = block.path;
    let method = handler.name;
    let downcast = match handler.receiver {
        Receiver::Mut => quote!(object_mut),
        Receiver::Shared => quote!(object_ref),
    };
    let passed = handler.arguments.iter().map(|argument| {
        let decode = decode(block, handler, argument, entry);
        match argument.kind {
            ArgumentKind::Reference(_) if handler.is_of_socket() => quote!(&*#decode),
            ArgumentKind::Value(PassBy::Text | PassBy::Bytes) => quote!(&#decode),
            ArgumentKind::Reference(_)
            | ArgumentKind::AlarmRun
            | ArgumentKind::Value(PassBy::Value(_)) => decode,
        }
    });
    let awaited = handler.is_async.then(|| quote!(.await));
    let object = quote!(__anchored::#downcast::<#path>(__object)?);
    let output = quote!(<#path>::#method(#object, #(#passed),*)#awaited);
    reply(block, handler, entry, &output)
}

/// Generates the code that passes one argument to a method.
fn decode(
    block: &ObjectImpl<'_>,
    handler: &Handler<'_>,
    argument: &Argument<'_>,
    entry: Entry,
) -> TokenStream {
    let resolve = |ty: &Type| resolve_self(ty, block.path);
    let taken = |function: &str, ty: &Type| {
        let function = format_ident!("{function}");
        let resolved = resolve(ty);
        let take = private_at(
            ty,
            &function.to_token_stream(),
            &quote!(#resolved),
            &quote!((__call)),
        );
        quote!(#take?)
    };
    let pass_by = match argument.kind {
        ArgumentKind::Reference(referred) => {
            let resolved = resolve(referred);
            return if handler.is_of_socket() {
                let hold = private_at(
                    referred,
                    &quote!(hold),
                    &quote!(#resolved),
                    &quote!((__ctx, __call)),
                );
                quote!(#hold?)
            } else {
                private_at(
                    referred,
                    &quote!(borrow),
                    &quote!(#resolved),
                    &quote!((__ctx)),
                )
            };
        }
        ArgumentKind::AlarmRun => return taken("take_run", argument.ty),
        ArgumentKind::Value(pass_by) => pass_by,
    };
    match entry {
        Entry::Call | Entry::Upgrade => decode_argument(block, handler, argument, pass_by),
        Entry::Alarm => {
            let payload = descriptors::payload(handler);
            quote!(__anchored::Payload::decode(&#payload, __call)?)
        }
        Entry::Close => taken("take_close", argument.ty),
        Entry::Error => taken("take_error", argument.ty),
        Entry::Init | Entry::Message(_) => {
            decode_message(entry, argument.ty, pass_by, &taken, block)
        }
    }
}

fn decode_message(
    entry: Entry,
    ty: &Type,
    pass_by: PassBy<'_>,
    taken: &impl Fn(&str, &Type) -> TokenStream,
    block: &ObjectImpl<'_>,
) -> TokenStream {
    match (entry, pass_by) {
        (_, PassBy::Text) => quote!(__anchored::Input::text(__call)?),
        (_, PassBy::Bytes) => quote!(__anchored::Input::binary(__call)?),
        (Entry::Message(MessageFormat::Text), PassBy::Value(ty)) => taken("take_text", ty),
        (Entry::Message(MessageFormat::Binary), PassBy::Value(ty)) => taken("take_binary", ty),
        (_, PassBy::Value(_)) => {
            let resolved = resolve_self(ty, block.path);
            let kind = kind_of(ty, &resolved);
            let take = private_at(
                ty,
                &quote!(take_message),
                &quote!(#resolved, #kind),
                &quote!((__call)),
            );
            quote!(#take?)
        }
    }
}

fn decode_argument(
    block: &ObjectImpl<'_>,
    handler: &Handler<'_>,
    argument: &Argument<'_>,
    pass_by: PassBy<'_>,
) -> TokenStream {
    let name = &argument.name;
    let index = argument.wire_index;
    let (accessor, function) = match argument.mark.as_ref().map(|mark| mark.whole) {
        None => (quote!(argument), quote!(take_argument)),
        Some(Whole::Body) => (quote!(body), quote!(take_body)),
        Some(Whole::Query) => (quote!(query), quote!(take_query)),
    };
    match pass_by {
        PassBy::Text => {
            quote!(__anchored::Input::#accessor::<__anchored::std::String>(__call, #index, #name)?)
        }
        PassBy::Bytes => {
            quote!(__anchored::Input::#accessor::<__anchored::std::Vec<::core::primitive::u8>>(__call, #index, #name)?)
        }
        PassBy::Value(_) if handler.is_rpc() => {
            let parameter = descriptors::parameter(handler, argument);
            quote!(__anchored::Parameter::#accessor(&#parameter, __call)?)
        }
        PassBy::Value(ty) => {
            let resolved = resolve_self(ty, block.path);
            let kind = kind_of(ty, &resolved);
            let take = private_at(
                ty,
                &function,
                &quote!(#resolved, #kind),
                &quote!((__call, #index, #name)),
            );
            quote!(#take?)
        }
    }
}

fn reply(
    block: &ObjectImpl<'_>,
    handler: &Handler<'_>,
    entry: Entry,
    output: &TokenStream,
) -> TokenStream {
    // A method that is also called may have a result for its callers.
    let to_call = matches!(entry, Entry::Call) || handler.is_called();
    if handler.is_rpc() && to_call {
        return reply_to_rpc(block, handler, output);
    }
    let function = match entry {
        Entry::Upgrade => quote!(reply_to_upgrade),
        _ if to_call => quote!(reply_to_route),
        _ => quote!(reply_to_event),
    };
    let fallible = Fallible::of(handler, block);
    if let (Output::Nothing, false) = (&handler.output, matches!(entry, Entry::Upgrade)) {
        return quote!(#output; __anchored::reply_nothing());
    }
    let value = value_type(handler, block);
    let kind = (to_call && !matches!(entry, Entry::Upgrade))
        .then(|| value_kind(handler, block))
        .map(|kind| quote!(#kind,));
    let (error, is_result, output) = match &fallible {
        Some(fallible) => (
            fallible.error(),
            fallible.is_result(&fallible.error_at),
            output.clone(),
        ),
        None => (
            quote!(::core::convert::Infallible),
            quote!(false),
            owned_output(handler, output),
        ),
    };
    private_at(
        &value_at(handler),
        &function,
        &quote!(#value, #error, #kind #is_result),
        &quote!((#output)),
    )
}

fn reply_to_rpc(
    block: &ObjectImpl<'_>,
    handler: &Handler<'_>,
    output: &TokenStream,
) -> TokenStream {
    let returned = descriptors::returned(handler);
    if Fallible::of(handler, block).is_some() {
        let failed = descriptors::failed(handler);
        return quote!(__anchored::Returned::reply_output(&#returned, &#failed, #output));
    }
    match handler.output {
        Output::Nothing => {
            quote!(#output; __anchored::Returned::reply(&#returned, ()))
        }
        Output::Text(_) | Output::Plain(_) | Output::Probed(_) => {
            let output = owned_output(handler, output);
            quote!(__anchored::Returned::reply(&#returned, #output))
        }
    }
}

/// Converts the result to the form in which it is sent.
fn owned_output(handler: &Handler<'_>, output: &TokenStream) -> TokenStream {
    match handler.output {
        Output::Text(_) => quote! {
            <__anchored::std::String as ::core::convert::From<&::core::primitive::str>>::from(#output)
        },
        Output::Nothing | Output::Plain(_) | Output::Probed(_) => output.clone(),
    }
}
