//! Rules across items. Each is one function, called from one of the two lists below.

mod events;
mod names;
mod routes;

use std::collections::HashMap;

use crate::diag::Diagnostics;
use crate::model::{
    Argument, ArgumentKind, Durability, Event, Field, Fit, Handler, MessageFormat, Object,
    ObjectImpl, PassBy, is_named,
};
use crate::names::unraw;

pub fn check_struct(diagnostics: &Diagnostics, object: &Object<'_>) {
    keys_are_unique(diagnostics, object);
    keys_do_not_lie_in_a_collection(diagnostics, object);
}

pub fn check_impl(diagnostics: &Diagnostics, block: &ObjectImpl<'_>) {
    names::class_name_is_valid(diagnostics, block);
    for handler in &block.handlers {
        let earlier = diagnostics.count();
        roles_fit_together(diagnostics, handler);
        if diagnostics.count() > earlier {
            // What its events provide is not known.
            continue;
        }
        arguments_are_provided(diagnostics, handler);
        context_is_asked_for_once(diagnostics, handler);
        names::rpc_name_is_free(diagnostics, handler);
        names::argument_names_are_unique(diagnostics, handler);
        events::init_takes_the_object(diagnostics, handler);
        events::upgrade_answers(diagnostics, handler);
        events::message_is_taken(diagnostics, handler);
        routes::route_parameters_have_arguments(diagnostics, handler);
        routes::arguments_fit_their_place(diagnostics, handler);
        routes::body_needs_a_route(diagnostics, handler);
        routes::body_is_marked_once(diagnostics, handler);
        routes::nothing_is_left_beside_the_body(diagnostics, handler);
    }
    names::rpc_names_are_unique(diagnostics, block);
    names::generated_names_are_free(diagnostics, block);
    routes::routes_do_not_collide(diagnostics, block);
    events::one_handler_per_event(diagnostics, block);
    if diagnostics.count() == 0 {
        // A wrong attribute may be the reason.
        events::sockets_are_accepted(diagnostics, block);
    }
}

fn durable_keys<'o>(object: &'o Object<'_>) -> impl Iterator<Item = (&'o str, &'o Field<'o>)> {
    object
        .fields
        .iter()
        .filter_map(|field| match &field.durability {
            Durability::Durable { key, .. } => Some((key.as_str(), field)),
            Durability::Memory => None,
        })
}

fn keys_are_unique(diagnostics: &Diagnostics, object: &Object<'_>) {
    let mut owners = HashMap::new();
    for (key, field) in durable_keys(object) {
        if let Some(first) = owners.insert(key, field.name) {
            diagnostics.error_at(
                field.key_span,
                format!(
                    "the key `{key}` is already used by the field `{}`\nhelp: give this field another with `#[stored(key = \"…\")]`",
                    unraw(first)
                ),
            );
        }
    }
}

/// The entry `ann` of the collection `votes` is stored under `votes/ann`.
fn keys_do_not_lie_in_a_collection(diagnostics: &Diagnostics, object: &Object<'_>) {
    for (key, field) in durable_keys(object) {
        let owner = durable_keys(object).find(|(collection, owner)| {
            owner.is_collection
                && key
                    .strip_prefix(collection)
                    .is_some_and(|rest| rest.starts_with('/'))
        });
        if let Some((collection, _)) = owner {
            diagnostics.error_at(
                field.key_span,
                format!("keys that begin with `{collection}/` belong to the entries of `{collection}`\nhelp: choose another key"),
            );
        }
    }
}

fn roles_fit_together(diagnostics: &Diagnostics, handler: &Handler<'_>) {
    for (index, role) in handler.roles.iter().enumerate() {
        for earlier in &handler.roles[..index] {
            match earlier.event().fits(role.event()) {
                Fit::Together => continue,
                Fit::Duplicate => diagnostics.error(
                    role.attribute(),
                    format!("duplicate `#[{}]` attribute", role.name()),
                ),
                Fit::Apart => diagnostics.error(
                    role.attribute(),
                    format!(
                        "`#[{}]` cannot share a method with `#[{}]`\nhelp: move common code into a helper method",
                        role.name(),
                        earlier.name()
                    ),
                ),
            }
            return;
        }
    }
}

/// What the text of an argument's type shows of where it must come from.
#[derive(Clone, Copy)]
enum Shape {
    Reference,
    Run,
    Text,
    Bytes,
    Owned,
}

impl Shape {
    fn of(argument: &Argument<'_>) -> Self {
        match argument.kind {
            ArgumentKind::Reference(_) => Self::Reference,
            ArgumentKind::AlarmRun => Self::Run,
            ArgumentKind::Value(PassBy::Text) => Self::Text,
            ArgumentKind::Value(PassBy::Bytes) => Self::Bytes,
            ArgumentKind::Value(PassBy::Value(_)) => Self::Owned,
        }
    }
}

const INIT: &str =
    "`#[init]` can only take `ctx: &Ctx`\nhelp: write `#[init] fn init(&mut self, ctx: &Ctx)`";
const NO_RUN: &str = "a call does not provide an `AlarmRun`\nhelp: split the method in two, and move common code into a helper method";
const ONLY_CLOSE: &str = "`#[close]` only provides a `CloseEvent`\nhelp: write `fn closed(&mut self, socket: &Socket<Session>, event: CloseEvent)`";
const ONLY_ERROR: &str = "`#[error]` only provides a `SocketError`\nhelp: write `fn failed(&mut self, socket: &Socket<Session>, error: SocketError)`";
const JSON: &str = "`#[message]` decodes JSON into an owned type\nhelp: take one, or write `#[message(text)]` or `#[message(binary)]`";
const TEXT: &str = "`#[message(text)]` passes the text unchanged\nhelp: take `&str` or `String`, or write `#[message]` for JSON";
const BINARY: &str = "`#[message(binary)]` passes the bytes unchanged\nhelp: take `&[u8]` or `Vec<u8>`, or write `#[message]` for JSON";
const OWNED_PAYLOAD: &str = "the payload of an alarm is stored until it runs, so it must be owned\nhelp: write for example `payload: String`";

/// The table of arguments: what an event provides for each shape. Which types fit a shape decide the traits of the
/// runtime, since a type can have any name.
fn provides(event: Event, shape: Shape) -> Result<(), &'static str> {
    use MessageFormat::{Binary, Json, Text};
    match (event, shape) {
        (
            Event::Init
            | Event::Rpc
            | Event::Route
            | Event::Upgrade
            | Event::Alarm
            | Event::Message(_)
            | Event::Close
            | Event::Error,
            Shape::Reference,
        )
        | (Event::Rpc | Event::Route | Event::Upgrade, Shape::Text | Shape::Bytes | Shape::Owned)
        | (Event::Alarm, Shape::Run | Shape::Owned)
        | (Event::Message(Json | Text | Binary) | Event::Close | Event::Error, Shape::Owned)
        | (Event::Message(Text), Shape::Text)
        | (Event::Message(Binary), Shape::Bytes) => Ok(()),
        (Event::Init, Shape::Run | Shape::Text | Shape::Bytes | Shape::Owned) => Err(INIT),
        // A type called `AlarmRun` is a value, unless the method is an alarm too.
        (
            Event::Rpc
            | Event::Route
            | Event::Upgrade
            | Event::Message(_)
            | Event::Close
            | Event::Error,
            Shape::Run,
        ) => Err(NO_RUN),
        (Event::Alarm, Shape::Text | Shape::Bytes) => Err(OWNED_PAYLOAD),
        (Event::Message(Json), Shape::Text | Shape::Bytes) => Err(JSON),
        (Event::Message(Text), Shape::Bytes) => Err(TEXT),
        (Event::Message(Binary), Shape::Text) => Err(BINARY),
        (Event::Close, Shape::Text | Shape::Bytes) => Err(ONLY_CLOSE),
        (Event::Error, Shape::Text | Shape::Bytes) => Err(ONLY_ERROR),
    }
}

fn arguments_are_provided(diagnostics: &Diagnostics, handler: &Handler<'_>) {
    for argument in &handler.arguments {
        let shape = Shape::of(argument);
        let refused = handler.roles.iter().find_map(|role| {
            provides(role.event(), shape)
                .err()
                .or_else(|| events::undecoded_message(role.event(), argument))
        });
        if let Some(message) = refused {
            diagnostics.error(argument.ty, message);
        }
    }
    events::alarm_takes_one_payload(diagnostics, handler);
}

/// By name, since two names of one type are for the compiler to see, and passing the context twice does no harm.
fn context_is_asked_for_once(diagnostics: &Diagnostics, handler: &Handler<'_>) {
    let contexts = handler.arguments.iter().filter(
        |argument| matches!(argument.kind, ArgumentKind::Reference(ty) if is_named(ty, "Ctx")),
    );
    for again in contexts.skip(1) {
        diagnostics.error(
            again.identifier,
            "a handler can take the context only once\nhelp: remove this argument",
        );
    }
}
