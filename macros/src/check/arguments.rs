//! The table of arguments: what each event provides.

use crate::diag::Diagnostics;
use crate::model::{
    Argument, ArgumentKind, Event, Handler, MessageFormat, PassBy, is_named, is_plain_value,
};

/// What the text of an argument's type shows about its source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
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

/// The table of arguments: what an event provides for each shape. The traits of the runtime decide
/// which types fit a shape, because a type can have any name.
pub fn provides(event: Event, shape: Shape) -> Result<(), &'static str> {
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
        // A type called `AlarmRun` is a value unless the method is also an alarm.
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

pub fn arguments_are_provided(diagnostics: &Diagnostics, handler: &Handler<'_>) {
    for argument in &handler.arguments {
        let shape = Shape::of(argument);
        let refused = handler.roles.iter().find_map(|role| {
            provides(role.event(), shape)
                .err()
                .or_else(|| undecoded_message(role.event(), argument))
        });
        if let Some(message) = refused {
            diagnostics.error(argument.ty, message);
        }
    }
    alarm_takes_one_payload(diagnostics, handler);
    run_is_asked_for_once(diagnostics, handler);
}

fn run_is_asked_for_once(diagnostics: &Diagnostics, handler: &Handler<'_>) {
    let runs = handler
        .arguments
        .iter()
        .filter(|argument| matches!(argument.kind, ArgumentKind::AlarmRun));
    for again in runs.skip(1) {
        diagnostics.error(
            again.identifier,
            "an alarm can take its `AlarmRun` only once\nhelp: remove this argument",
        );
    }
}

/// Checked by name only: the compiler sees two names of one type, and passing the context twice is
/// harmless.
pub fn context_is_asked_for_once(diagnostics: &Diagnostics, handler: &Handler<'_>) {
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

/// Text and bytes are passed unchanged. A type whose text shows that it is neither is refused here.
/// The traits of the runtime refuse any other.
fn undecoded_message(event: Event, argument: &Argument<'_>) -> Option<&'static str> {
    argument.owned().filter(|ty| is_plain_value(ty))?;
    match event {
        Event::Message(MessageFormat::Text) => Some(TEXT),
        Event::Message(MessageFormat::Binary) => Some(BINARY),
        _ => None,
    }
}

fn alarm_takes_one_payload(diagnostics: &Diagnostics, handler: &Handler<'_>) {
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
