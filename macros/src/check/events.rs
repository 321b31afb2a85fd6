//! Rules for events that have no caller: initialisation, alarms, sockets.

use std::collections::HashMap;

use crate::diag::Diagnostics;
use crate::model::{
    ArgumentKind, Event, Handler, MessageFormat, ObjectImpl, Output, Receiver, Role, is_named,
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

/// Checks that a message is one value, and that the end of a socket takes at most one.
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
        // The first of the two may be the invalid one.
        if let Some(socket) = first.filter(|value| is_named(value.ty, "Socket")) {
            diagnostics.error(
                socket.ty,
                "a socket is passed by shared reference\nhelp: write `socket: &Socket<Session>`",
            );
            break;
        }
        diagnostics.error(
            second.ty,
            if message.is_some() {
                "`#[message]` takes exactly one message argument\nhelp: write `fn received(&mut self, socket: &Socket<Session>, message: T)`"
            } else if handler.has(Event::Close) {
                "`#[close]` only provides a `CloseEvent`\nhelp: remove this argument"
            } else {
                "`#[error]` only provides a `SocketError`\nhelp: remove this argument"
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

/// Checks that sockets can be accepted: without an upgrade no socket is ever connected. A route
/// whose attribute is misspelt looks the same.
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
