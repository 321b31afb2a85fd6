//! The arguments that events provide.
#![allow(missing_docs, reason = "the vocabulary of generated code")]

use super::super::bounds::{Argument, Carried};
use super::kind;
use crate::engine::input::Input;
use crate::error::fault::Fault;
use crate::http::Request;
use crate::object::arguments::Arguments;
use crate::object::context::Ctx;
use crate::schedule::{AlarmRun, Scheduling, scheduling};
use crate::socket::{CloseEvent, SocketError};

/// An argument of an `#[rpc]` method.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent to another object",
    label = "needs `Serialize` and `Deserialize`",
    note = "derive `serde::Serialize` and `serde::Deserialize` for the type"
)]
pub trait MethodArgument<const KIND: u8>: Sized {
    fn take(input: &mut Input, index: usize, name: &'static str) -> Result<Self, Fault>;
    fn take_body(input: &mut Input, index: usize, name: &'static str) -> Result<Self, Fault>;
    fn take_query(input: &mut Input, index: usize, name: &'static str) -> Result<Self, Fault>;
    fn push(arguments: &mut Arguments, name: &'static str, value: &Self);
}

#[diagnostic::do_not_recommend]
impl<T: Carried> MethodArgument<{ kind::VALUE }> for T {
    fn take(input: &mut Input, index: usize, name: &'static str) -> Result<Self, Fault> {
        input.argument(index, name)
    }

    fn take_body(input: &mut Input, index: usize, name: &'static str) -> Result<Self, Fault> {
        input.body(index, name)
    }

    fn take_query(input: &mut Input, index: usize, name: &'static str) -> Result<Self, Fault> {
        input.query(index, name)
    }

    fn push(arguments: &mut Arguments, name: &'static str, value: &Self) {
        arguments.push(name, value);
    }
}

/// An argument of a route: the request itself, or a value out of it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from a request",
    label = "needs `Deserialize`",
    note = "derive `serde::Deserialize` for the type, or take the whole `anchorhold::Request`"
)]
pub trait RouteArgument<const KIND: u8>: Sized {
    fn take(input: &mut Input, index: usize, name: &'static str) -> Result<Self, Fault>;
}

#[diagnostic::do_not_recommend]
impl<T: Argument> RouteArgument<{ kind::VALUE }> for T {
    fn take(input: &mut Input, index: usize, name: &'static str) -> Result<Self, Fault> {
        input.argument(index, name)
    }
}

impl RouteArgument<{ kind::REQUEST }> for Request {
    fn take(input: &mut Input, _: usize, _: &'static str) -> Result<Self, Fault> {
        input.request()
    }
}

/// The argument of a route that is decoded from the whole body.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from the body of a request",
    label = "needs `Deserialize`",
    note = "derive `serde::Deserialize` for the type"
)]
pub trait BodyArgument<const KIND: u8>: Sized {
    fn take(input: &mut Input, index: usize, name: &'static str) -> Result<Self, Fault>;
}

#[diagnostic::do_not_recommend]
impl<T: Argument> BodyArgument<{ kind::VALUE }> for T {
    fn take(input: &mut Input, index: usize, name: &'static str) -> Result<Self, Fault> {
        input.body(index, name)
    }
}

/// The argument of a route that is decoded from the whole query string.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from a query string",
    label = "needs `Deserialize`",
    note = "derive `serde::Deserialize` for the type"
)]
pub trait WholeQuery<const KIND: u8>: Sized {
    fn take(input: &mut Input, index: usize, name: &'static str) -> Result<Self, Fault>;
}

#[diagnostic::do_not_recommend]
impl<T: Argument> WholeQuery<{ kind::VALUE }> for T {
    fn take(input: &mut Input, index: usize, name: &'static str) -> Result<Self, Fault> {
        input.query(index, name)
    }
}

/// The message of a `#[message]` handler.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from a message",
    label = "needs `Deserialize`",
    note = "derive `serde::Deserialize` for the type, or take the message as it is:\n`#[message(text)]` with `&str`, `#[message(binary)]` with `&[u8]`"
)]
pub trait MessageArgument<const KIND: u8>: Sized {
    fn take(input: &mut Input) -> Result<Self, Fault>;
}

#[diagnostic::do_not_recommend]
impl<T: Argument> MessageArgument<{ kind::VALUE }> for T {
    fn take(input: &mut Input) -> Result<Self, Fault> {
        input.message()
    }
}

/// The payload of an alarm.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be stored as the payload of an alarm",
    label = "needs `Serialize` and `Deserialize`",
    note = "derive `serde::Serialize` and `serde::Deserialize` for the type"
)]
pub trait AlarmPayload<const KIND: u8>: Sized {
    fn take(input: &mut Input) -> Result<Self, Fault>;
    fn schedule<'a>(ctx: &'a Ctx, alarm: &'static str, payload: &Self) -> Scheduling<'a>;
}

#[diagnostic::do_not_recommend]
impl<T: Carried> AlarmPayload<{ kind::VALUE }> for T {
    fn take(input: &mut Input) -> Result<Self, Fault> {
        input.payload()
    }

    fn schedule<'a>(ctx: &'a Ctx, alarm: &'static str, payload: &Self) -> Scheduling<'a> {
        scheduling(ctx, alarm, payload)
    }
}

/// The message of a `#[message(text)]` handler.
#[diagnostic::on_unimplemented(
    message = "`#[message(text)]` passes the text unchanged",
    label = "must be `&str` or `String`",
    note = "write `#[message]` to decode JSON into `{Self}`"
)]
pub trait TextMessage: From<String> {}

impl TextMessage for String {}

/// The message of a `#[message(binary)]` handler.
#[diagnostic::on_unimplemented(
    message = "`#[message(binary)]` passes the bytes unchanged",
    label = "must be `&[u8]` or `Vec<u8>`",
    note = "write `#[message]` to decode JSON into `{Self}`"
)]
pub trait BinaryMessage: From<Vec<u8>> {}

impl BinaryMessage for Vec<u8> {}

/// The argument of a `#[close]` handler.
#[diagnostic::on_unimplemented(
    message = "`#[close]` only provides a `CloseEvent`",
    label = "not available here",
    note = "write `fn closed(&mut self, socket: &Socket<Session>, event: CloseEvent)`"
)]
pub trait CloseArgument: From<CloseEvent> {}

impl CloseArgument for CloseEvent {}

/// The argument of an `#[error]` handler.
#[diagnostic::on_unimplemented(
    message = "`#[error]` only provides a `SocketError`",
    label = "not available here",
    note = "write `fn failed(&mut self, socket: &Socket<Session>, error: SocketError)`"
)]
pub trait ErrorArgument: From<SocketError> {}

impl ErrorArgument for SocketError {}

/// The argument of an `#[alarm]` handler with the type name `AlarmRun`.
#[diagnostic::on_unimplemented(
    message = "the name `AlarmRun` is read as `anchorhold::AlarmRun` in an `#[alarm]` method",
    label = "another type",
    note = "give the type another name, for example with `use … as …`"
)]
pub trait RunArgument: From<AlarmRun> {}

impl RunArgument for AlarmRun {}

pub fn take_run<T: RunArgument>(input: &mut Input) -> Result<T, Fault> {
    input.alarm_run().map(T::from)
}

pub fn take_message<T: MessageArgument<KIND>, const KIND: u8>(
    input: &mut Input,
) -> Result<T, Fault> {
    T::take(input)
}

pub fn take_text<T: TextMessage>(input: &mut Input) -> Result<T, Fault> {
    input.text().map(T::from)
}

pub fn take_binary<T: BinaryMessage>(input: &mut Input) -> Result<T, Fault> {
    input.binary().map(T::from)
}

pub fn take_close<T: CloseArgument>(input: &mut Input) -> Result<T, Fault> {
    input.close_event().map(T::from)
}

pub fn take_error<T: ErrorArgument>(input: &mut Input) -> Result<T, Fault> {
    input.socket_error().map(T::from)
}

pub fn take_argument<T: RouteArgument<KIND>, const KIND: u8>(
    input: &mut Input,
    index: usize,
    name: &'static str,
) -> Result<T, Fault> {
    T::take(input, index, name)
}

pub fn take_body<T: BodyArgument<KIND>, const KIND: u8>(
    input: &mut Input,
    index: usize,
    name: &'static str,
) -> Result<T, Fault> {
    T::take(input, index, name)
}

pub fn take_query<T: WholeQuery<KIND>, const KIND: u8>(
    input: &mut Input,
    index: usize,
    name: &'static str,
) -> Result<T, Fault> {
    T::take(input, index, name)
}

/// An argument next to one that may be the whole request.
#[diagnostic::on_unimplemented(
    message = "this argument has nothing left to be read from, because `{Self}` takes the whole request",
    label = "neither in the path nor in the request's body or query string",
    note = "bind it by the path, or remove the `{Self}`"
)]
pub trait LeavesTheRest<const TAKES_ALL: bool> {}

#[diagnostic::do_not_recommend]
impl<T> LeavesTheRest<false> for T {}

pub const fn assert_leaves_the_rest<T: LeavesTheRest<TAKES_ALL>, const TAKES_ALL: bool>() {}
