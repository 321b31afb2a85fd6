//! The return values of handlers and of the app.
#![allow(missing_docs, reason = "the vocabulary of generated code")]

use std::convert::Infallible;

use serde::Serialize;

use super::super::bounds::Carried;
use super::kind;
use crate::codec::message_pack;
use crate::engine::input::{Outcome, Reply, encode_result};
use crate::error::ObjectError;
use crate::error::fault::{Fault, expects_none};
use crate::http::Response;
use crate::socket::{Accept, Session};

/// The return value of a handler: a value, or a `Result` under any name.
pub trait Output<const IS_RESULT: bool> {
    type Value;
    type Error;
    fn into_result(self) -> Result<Self::Value, Self::Error>;
}

impl<T> Output<false> for T {
    type Value = T;
    type Error = Infallible;

    fn into_result(self) -> Result<T, Infallible> {
        Ok(self)
    }
}

impl<T, E> Output<true> for Result<T, E> {
    type Value = T;
    type Error = E;

    fn into_result(self) -> Self {
        self
    }
}

/// The success value of a handler that returns `T`.
pub type ValueOf<T, const IS_RESULT: bool> = <T as Output<IS_RESULT>>::Value;

/// The error of a handler that returns `T`.
pub type ErrorOf<T, const IS_RESULT: bool> = <T as Output<IS_RESULT>>::Error;

/// The error of a handler: none, or one that can cross calls.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of a Durable Object's method",
    label = "needs `ObjectError`",
    note = "use `anchorhold::Error`, or implement `anchorhold::ObjectError` for the type"
)]
pub trait HandlerError<const IS_RESULT: bool>: Sized {
    fn fault(&self) -> Fault;
    fn decode(bytes: &[u8]) -> Result<Self, String>;
}

impl HandlerError<false> for Infallible {
    fn fault(&self) -> Fault {
        match *self {}
    }

    fn decode(bytes: &[u8]) -> Result<Self, String> {
        expects_none(bytes)
    }
}

#[diagnostic::do_not_recommend]
impl<E: ObjectError> HandlerError<true> for E {
    fn fault(&self) -> Fault {
        Fault::application(self)
    }

    fn decode(bytes: &[u8]) -> Result<Self, String> {
        message_pack::decode(bytes)
    }
}

/// The result of an `#[rpc]` method.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent to another object",
    label = "needs `Serialize` and `Deserialize`",
    note = "derive `serde::Serialize` and `serde::Deserialize` for the type"
)]
pub trait MethodResult<const KIND: u8>: Sized {
    fn encode(&self) -> Outcome;
    fn decode(bytes: &[u8]) -> Result<Self, String>;
}

#[diagnostic::do_not_recommend]
impl<T: Carried> MethodResult<{ kind::VALUE }> for T {
    fn encode(&self) -> Outcome {
        encode_result(self)
    }

    fn decode(bytes: &[u8]) -> Result<Self, String> {
        message_pack::decode(bytes)
    }
}

/// The result of a route.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the result of a Durable Object's method",
    label = "needs `Serialize`",
    note = "derive `serde::Serialize` for the type; a route may also return `anchorhold::Response`"
)]
pub trait RouteResult<const KIND: u8>: Sized {
    fn into_reply(self) -> Outcome;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize> RouteResult<{ kind::VALUE }> for T {
    fn into_reply(self) -> Outcome {
        encode_result(&self)
    }
}

impl RouteResult<{ kind::RESPONSE }> for Response {
    fn into_reply(self) -> Outcome {
        Ok(Reply::Response(self))
    }
}

/// The result of a `#[websocket]` route.
#[diagnostic::on_unimplemented(
    message = "`#[websocket]` must return `Accept<Session>` or `Result<Accept<Session>, E>`",
    label = "`{Self}` neither accepts the socket nor refuses it",
    note = "accept it with `Accept::new(session)`; refuse it with an error, which carries the status"
)]
pub trait UpgradeResult: Sized {
    fn into_reply(self) -> Outcome;
}

impl<S: Session> UpgradeResult for Accept<S> {
    fn into_reply(self) -> Outcome {
        self.into_accepted().map(Reply::Accept)
    }
}

/// The result of an event that has no caller.
#[diagnostic::on_unimplemented(
    message = "the return value of this event's handler would be discarded",
    label = "must be `()` or `Result<(), E>`",
    note = "keep the value in a field; a socket's handler replies with `socket.send(…)`"
)]
pub trait EventResult {}

impl EventResult for () {}

/// A result for which a route may set the status.
#[diagnostic::on_unimplemented(
    message = "`{Self}` carries its own status",
    label = "has no effect",
    note = "remove `status`, and set the status of the response"
)]
pub trait TakesStatus<const IS_RESPONSE: bool> {}

#[diagnostic::do_not_recommend]
impl<T> TakesStatus<false> for T {}

pub const fn assert_takes_status<T: TakesStatus<IS_RESPONSE>, const IS_RESPONSE: bool>() {}

/// The result of a route whose status does not allow a body.
#[diagnostic::on_unimplemented(
    message = "a response with this status has no body, so `{Self}` would be discarded",
    label = "allows no body",
    note = "return `()` or `Result<(), E>`, or state another status"
)]
pub trait Bodiless {}

impl Bodiless for () {}

pub const fn assert_bodiless<T: Bodiless>() {}

/// The default status of a success.
#[must_use]
pub const fn success_status(is_unit: bool) -> u16 {
    if is_unit { 204 } else { 200 }
}

pub fn reply_to_route<V, E, const KIND: u8, const IS_RESULT: bool>(
    output: impl Output<IS_RESULT, Value = V, Error = E>,
) -> Outcome
where
    V: RouteResult<KIND>,
    E: HandlerError<IS_RESULT>,
{
    match output.into_result() {
        Ok(value) => value.into_reply(),
        Err(error) => Err(error.fault()),
    }
}

pub fn reply_to_upgrade<V, E, const IS_RESULT: bool>(
    output: impl Output<IS_RESULT, Value = V, Error = E>,
) -> Outcome
where
    V: UpgradeResult,
    E: HandlerError<IS_RESULT>,
{
    match output.into_result() {
        Ok(accept) => accept.into_reply(),
        Err(error) => Err(error.fault()),
    }
}

pub fn reply_to_event<V, E, const IS_RESULT: bool>(
    output: impl Output<IS_RESULT, Value = V, Error = E>,
) -> Outcome
where
    V: EventResult,
    E: HandlerError<IS_RESULT>,
{
    match output.into_result() {
        Ok(_) => reply_nothing(),
        Err(error) => Err(error.fault()),
    }
}

/// The reply of a handler that returns nothing.
pub fn reply_nothing() -> Outcome {
    encode_result(&())
}
