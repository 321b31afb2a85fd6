//! Rules of what nobody calls: initialisation, alarms, sockets.

use std::collections::HashMap;

use proc_macro2::Span;

use super::values;
use crate::diag::Diagnostics;
use crate::model::{
    Argument, ArgumentKind, Behaviour, Handler, MessageFlavour, Output, Passing, is_named,
};
use crate::names::plain;

pub fn init_is_plain(diagnostics: &Diagnostics, handler: &Handler<'_>) {
    if handler.roles.init.is_none() {
        return;
    }
    let shape = "`#[init] fn init(&mut self, ctx: &Ctx) -> Result<(), E>`";
    if !handler.exclusive {
        diagnostics.error(
            handler.raw.signature.receiver(),
            format!("`#[init]` prepares the object: it takes `&mut self`, {shape}"),
        );
    }
    for argument in &handler.arguments {
        if !matches!(argument.kind, ArgumentKind::Context) {
            diagnostics.error(
                argument.ty,
                format!("nobody calls `#[init]`: its only argument is the context, {shape}"),
            );
        }
    }
    if !handler.output.is_empty() {
        diagnostics.error(
            &handler.raw.signature.output,
            format!("nobody reads what `#[init]` returns: {shape}"),
        );
    }
}

pub fn socket_route_accepts(diagnostics: &Diagnostics, handler: &Handler<'_>) {
    let Some(route) = &handler.roles.websocket else {
        return;
    };
    let shape = "`fn join(&self, …) -> Accept<Session>` or `Result<Accept<Session>, E>`";
    match handler.output.value() {
        Some(value) if is_named(value, "Accept") => {}
        Some(value) => diagnostics.error(
            value,
            format!("`#[websocket]` accepts the socket or refuses it: {shape}"),
        ),
        None if matches!(handler.output, Output::Nothing) => diagnostics.error(
            route.attribute,
            format!("`#[websocket]` accepts the socket or refuses it: {shape}"),
        ),
        None => {}
    }
}

pub fn socket_event_arguments(diagnostics: &Diagnostics, handler: &Handler<'_>) {
    if !handler.roles.on_socket() {
        return;
    }
    let mut message = None;
    for argument in values(handler) {
        let Some(role) = &handler.roles.message else {
            diagnostics.error(
                argument.ty,
                "this event carries no such value: write `fn closed(&mut self, socket: &Socket<Session>, event: CloseEvent)`, `SocketError` for `#[error]`",
            );
            continue;
        };
        if message.replace(argument).is_some() {
            diagnostics.error(
                argument.ty,
                "a message is one value: write `fn received(&mut self, socket: &Socket<Session>, message: T)`",
            );
        } else if let Some(fix) = wrong_message_type(role.flavour, argument) {
            diagnostics.error(argument.ty, fix);
        }
    }
    if let (Some(role), None) = (&handler.roles.message, message) {
        diagnostics.error(
            role.attribute,
            "a `#[message]` handler takes the message: `fn received(&mut self, socket: &Socket<Session>, message: T)`",
        );
    }
}

fn wrong_message_type(flavour: MessageFlavour, argument: &Argument<'_>) -> Option<&'static str> {
    let fits = match (flavour, argument.passing()?) {
        (MessageFlavour::Json, Passing::Owned(_))
        | (MessageFlavour::Text, Passing::Text)
        | (MessageFlavour::Binary, Passing::Bytes) => true,
        (MessageFlavour::Json, Passing::Text | Passing::Bytes)
        | (MessageFlavour::Text, Passing::Bytes)
        | (MessageFlavour::Binary, Passing::Text) => false,
        (MessageFlavour::Text, Passing::Owned(ty)) => is_named(ty, "String"),
        (MessageFlavour::Binary, Passing::Owned(ty)) => is_named(ty, "Vec"),
    };
    if fits {
        return None;
    }
    Some(match flavour {
        MessageFlavour::Json => {
            "`#[message]` decodes JSON into an owned type: take one, or write `#[message(text)]` or `#[message(binary)]`"
        }
        MessageFlavour::Text => {
            "`#[message(text)]` passes the text as it came: take `&str` or `String`, or write `#[message]` for JSON"
        }
        MessageFlavour::Binary => {
            "`#[message(binary)]` passes the bytes as they came: take `&[u8]` or `Vec<u8>`, or write `#[message]` for JSON"
        }
    })
}

pub fn alarm_payload(diagnostics: &Diagnostics, handler: &Handler<'_>) {
    let Some(alarm) = &handler.roles.alarm else {
        return;
    };
    let mut payload = None;
    for argument in values(handler) {
        if alarm.recurs() {
            diagnostics.error(
                argument.ty,
                "an alarm that recurs by itself has nobody to give it a payload: keep the value in a field, or drop `every` and `cron` and schedule it",
            );
        } else if payload.replace(argument).is_some() {
            diagnostics.error(
                argument.ty,
                "an alarm carries one payload: put both values into one type",
            );
        } else if let Some(Passing::Text | Passing::Bytes) = argument.passing() {
            diagnostics.error(
                argument.ty,
                "a payload is stored until the alarm fires: own it, as in `payload: String`",
            );
        }
    }
}

/// Of a method that only events reach, nobody would receive the result.
pub fn event_returns_nothing(diagnostics: &Diagnostics, handler: &Handler<'_>) {
    let roles = &handler.roles;
    if roles.rpc.is_some() || roles.on_route() || handler.output.is_empty() {
        return;
    }
    let fix = if roles.on_socket() {
        "answer with `socket.send(…)`"
    } else if roles.alarm.is_some() {
        "keep the value in a field"
    } else {
        // `#[init]` has a rule of its own.
        return;
    };
    if matches!(handler.output, Output::Fallible { parts: None, .. }) {
        // An alias may hide `()`: the compiler knows.
        return;
    }
    diagnostics.error(
        handler.output.value(),
        format!(
            "nobody receives what this event returns: return nothing or `Result<(), E>`, and {fix}"
        ),
    );
}

pub fn one_handler_per_event(diagnostics: &Diagnostics, behaviour: &Behaviour<'_>) {
    let mut owners: HashMap<&str, &Handler<'_>> = HashMap::new();
    let mut claim = |event: &'static str, handler, at: Span| {
        if let Some(first) = owners.insert(event, handler) {
            diagnostics.error_at(
                at,
                format!(
                    "`#[{event}]` is already handled by `{}`: an object has one such handler",
                    plain(first.name)
                ),
            );
        }
    };
    for handler in &behaviour.handlers {
        let at = handler.name.span();
        if handler.roles.init.is_some() {
            claim("init", handler, at);
        }
        if let Some(message) = &handler.roles.message {
            let event = match message.flavour {
                MessageFlavour::Json => "message",
                MessageFlavour::Text => "message(text)",
                MessageFlavour::Binary => "message(binary)",
            };
            claim(event, handler, at);
        }
        if handler.roles.close.is_some() {
            claim("close", handler, at);
        }
        if handler.roles.error.is_some() {
            claim("error", handler, at);
        }
    }
}
