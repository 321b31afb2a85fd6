//! Rules for events that have no caller: initialisation, alarms, sockets.

use std::collections::HashMap;

use crate::diag::Diagnostics;
use crate::model::{
    Argument, ArgumentKind, Event, Handler, MessageFormat, ObjectImpl, Output, Receiver, Role,
    arguments_of, is_named, is_plain_value,
};
use crate::names::unraw;

pub fn init_takes_the_object(diagnostics: &Diagnostics, handler: &Handler<'_>) {
    if handler.has(Event::Init) && handler.receiver == Receiver::Shared {
        diagnostics.error(
            handler.raw.signature.receiver(),
            "`#[init]` prepares the object and must take `&mut self`\nhelp: write `#[init] fn init(&mut self, ctx: &Ctx)`",
        );
    }
}

pub fn upgrade_answers(diagnostics: &Diagnostics, handler: &Handler<'_>) {
    let upgrade = handler.routes().find(|route| route.is_upgrade());
    if let (Some(route), Output::Nothing) = (upgrade, &handler.output) {
        diagnostics.error(
            route.attribute,
            "`#[websocket]` must return `Accept<Session>` or `Result<Accept<Session>, E>`\nhelp: write `fn join(&self) -> Accept<Session>`",
        );
    }
}

/// A message is one value; the end of a socket brings at most one.
pub fn message_is_taken(diagnostics: &Diagnostics, handler: &Handler<'_>) {
    if !handler.is_of_socket() {
        return;
    }
    let mut values = handler
        .arguments
        .iter()
        .filter(|argument| !matches!(argument.kind, ArgumentKind::Reference(_)));
    let first = values.next();
    let message = handler.roles.iter().find_map(|role| match role {
        Role::Message(message) => Some(message),
        _ => None,
    });
    for second in values {
        diagnostics.error(
            second.ty,
            if message.is_some() {
                "`#[message]` takes exactly one message argument\nhelp: write `fn received(&mut self, socket: &Socket<Session>, message: T)`"
            } else {
                "this event provides one value\nhelp: remove this argument"
            },
        );
    }
    if let (Some(message), None) = (message, first) {
        diagnostics.error(
            message.attribute,
            "`#[message]` must take the message\nhelp: write `fn received(&mut self, socket: &Socket<Session>, message: T)`",
        );
    }
}

/// Text and bytes are passed as they came: a type that shows by its text that it is neither is refused here, any other
/// by the traits of the runtime.
pub fn undecoded_message(event: Event, argument: &Argument<'_>) -> Option<&'static str> {
    let ty = argument.owned().filter(|ty| is_plain_value(ty))?;
    let is_bytes = || {
        is_named(ty, "Vec")
            && arguments_of(ty)
                .first()
                .is_some_and(|element| is_named(element, "u8") || !is_plain_value(element))
    };
    match event {
        Event::Message(MessageFormat::Text) if !is_named(ty, "String") => Some(super::TEXT),
        Event::Message(MessageFormat::Binary) if !is_bytes() => Some(super::BINARY),
        _ => None,
    }
}

pub fn alarm_takes_one_payload(diagnostics: &Diagnostics, handler: &Handler<'_>) {
    let Some(alarm) = handler.alarm() else {
        return;
    };
    let mut payloads = handler
        .values()
        .filter(|argument| argument.owned().is_some());
    if alarm.recurs() {
        for argument in payloads {
            diagnostics.error(
                argument.ty,
                "recurring alarms cannot have a payload\nhelp: keep the value in a field, or remove `every` and `cron` and schedule the alarm",
            );
        }
        return;
    }
    payloads.next();
    for argument in payloads {
        diagnostics.error(
            argument.ty,
            "alarms take one payload\nhelp: combine the values in a struct",
        );
    }
}

pub fn one_handler_per_event(diagnostics: &Diagnostics, block: &ObjectImpl<'_>) {
    let mut owners: HashMap<&str, &Handler<'_>> = HashMap::new();
    for handler in &block.handlers {
        for role in &handler.roles {
            let event = match role.event() {
                Event::Init => "init",
                Event::Message(MessageFormat::Json) => "message",
                Event::Message(MessageFormat::Text) => "message(text)",
                Event::Message(MessageFormat::Binary) => "message(binary)",
                Event::Close => "close",
                Event::Error => "error",
                Event::Rpc | Event::Route | Event::Upgrade | Event::Alarm => continue,
            };
            if let Some(first) = owners.insert(event, handler)
                && first.index != handler.index
            {
                diagnostics.error(
                    handler.name,
                    format!(
                        "an object can only have one `#[{event}]` method; `{}` is already one",
                        unraw(first.name)
                    ),
                );
            }
        }
    }
}

/// Without an upgrade no socket is ever connected. A route with a typing error in its attribute looks just so.
pub fn sockets_are_accepted(diagnostics: &Diagnostics, block: &ObjectImpl<'_>) {
    if block.handler_of(Event::Upgrade).is_some() {
        return;
    }
    let event = block
        .handlers
        .iter()
        .flat_map(|handler| &handler.roles)
        .find(|role| role.event().is_of_socket());
    if let Some(role) = event {
        diagnostics.error(
            role.attribute(),
            "no `#[websocket]` route of this object accepts sockets, so this handler would never run\nhelp: add `#[websocket(\"/socket\")] fn join(&self) -> Accept<Session>`",
        );
    }
}
