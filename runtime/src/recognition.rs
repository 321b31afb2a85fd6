//! What a user's type is, decided by the type itself and not by its name.
//!
//! An attribute sees text: `Answer<i64>` may be an alias of a `Result`, and `Request` a type of the
//! user's. Generated code therefore asks [`Probe`] and passes the answer on as a const argument, so
//! that each trait below may treat a `Result` or a [`Request`] apart without overlapping its
//! blanket implementation. Traits without any implementation exist for their message.
#![allow(
    missing_docs,
    reason = "the vocabulary of generated code, which nobody else names"
)]

use std::cell::{Cell, LazyCell, OnceCell, RefCell, UnsafeCell};
use std::convert::Infallible;
use std::marker::PhantomData;
use std::ops::Deref;
use std::panic::RefUnwindSafe;
use std::rc::{self, Rc};
use std::sync::atomic::{
    AtomicBool, AtomicI8, AtomicI16, AtomicI32, AtomicI64, AtomicIsize, AtomicPtr, AtomicU8,
    AtomicU16, AtomicU32, AtomicU64, AtomicUsize,
};
use std::sync::{self, Arc, LazyLock, Mutex, OnceLock, RwLock};

use crate::app::App;
use crate::call::{Arguments, Call, Outcome, encode_result};
use crate::context::{Ctx, Env};
use crate::descriptor::{Argument, Carried};
use crate::error::ObjectError;
use crate::fault::{Fault, expects_none};
use crate::http::{Request, Response};
use crate::schedule::{AlarmRun, Scheduling, scheduling};
use crate::socket::{Accept, CloseEvent, Session, Socket, SocketError};
use crate::wire;

/// Kinds of types that an event or a route treats apart.
pub mod kind {
    /// Whatever serde reads and writes.
    pub const VALUE: u8 = 0;
    pub const REQUEST: u8 = 1;
    pub const RESPONSE: u8 = 2;
    pub const ACCEPT: u8 = 3;
    pub const CONTEXT: u8 = 4;
    pub const ENV: u8 = 5;
    pub const SOCKET: u8 = 6;
    pub const ALARM_RUN: u8 = 7;
    /// [`CloseEvent`](crate::CloseEvent) and [`SocketError`](crate::SocketError).
    pub const SOCKET_EVENT: u8 = 8;
}

/// Asks what `T` is. An inherent constant is found before that of a trait in scope, so
/// [`Unrecognised`] answers for every type that has no constant here.
pub struct Probe<T: ?Sized>(PhantomData<fn(&T)>);

pub trait Unrecognised {
    const KIND: u8 = kind::VALUE;
    const IS_RESULT: bool = false;
    const IS_UNIT: bool = false;
    const ESCAPES_ROLLBACK: bool = false;
    const CHANGES_ONLY_THROUGH_MUT: bool = false;
}

impl<T: ?Sized> Unrecognised for Probe<T> {}

impl<T, E> Probe<Result<T, E>> {
    pub const IS_RESULT: bool = true;
}

impl Probe<()> {
    pub const IS_UNIT: bool = true;
}

/// An auto trait, which sees through every type that is made of others.
impl<T: ?Sized + RefUnwindSafe> Probe<T> {
    pub const CHANGES_ONLY_THROUGH_MUT: bool = true;
}

macro_rules! kinds {
    ($($({ $parameter:ident })? $ty:ty => $kind:ident,)*) => {$(
        impl $(<$parameter>)? Probe<$ty> {
            pub const KIND: u8 = kind::$kind;
        }
    )*};
}

kinds! {
    Request => REQUEST,
    Response => RESPONSE,
    { S } Accept<S> => ACCEPT,
    Ctx => CONTEXT,
    Env => ENV,
    { S } Socket<S> => SOCKET,
    AlarmRun => ALARM_RUN,
    CloseEvent => SOCKET_EVENT,
    SocketError => SOCKET_EVENT,
}

macro_rules! escapes_rollback {
    ($($({ $parameter:ident })? $ty:ty,)*) => {$(
        impl $(<$parameter>)? Probe<$ty> {
            pub const ESCAPES_ROLLBACK: bool = true;
        }
    )*};
}

// Types that change behind a shared reference, or are shared themselves.
escapes_rollback! {
    { T } Cell<T>,
    { T } RefCell<T>,
    { T } OnceCell<T>,
    { T } LazyCell<T>,
    { T } UnsafeCell<T>,
    { T } Mutex<T>,
    { T } RwLock<T>,
    { T } OnceLock<T>,
    { T } LazyLock<T>,
    { T } Rc<T>,
    { T } rc::Weak<T>,
    { T } Arc<T>,
    { T } sync::Weak<T>,
    AtomicBool,
    AtomicI8,
    AtomicI16,
    AtomicI32,
    AtomicI64,
    AtomicIsize,
    AtomicU8,
    AtomicU16,
    AtomicU32,
    AtomicU64,
    AtomicUsize,
    { T } AtomicPtr<T>,
}

/// A durable field whose changes a failed turn can roll back.
#[diagnostic::on_unimplemented(
    message = "changes through `{Self}` cannot be rolled back",
    label = "shared or changed behind a shared reference",
    note = "store the value itself, or mark the field `#[memory]` if it may be forgotten when the object\nleaves memory"
)]
pub trait RollsBack<const ESCAPES: bool> {}

#[diagnostic::do_not_recommend]
impl<T: ?Sized> RollsBack<false> for T {}

pub const fn assert_rolls_back<T: ?Sized + RollsBack<ESCAPES>, const ESCAPES: bool>() {}

/// What a handler returns: a value, or a `Result` under whatever name.
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

/// What a handler that returns `T` answers when it succeeds.
pub type ValueOf<T, const IS_RESULT: bool> = <T as Output<IS_RESULT>>::Value;

/// What a handler that returns `T` answers when it fails.
pub type ErrorOf<T, const IS_RESULT: bool> = <T as Output<IS_RESULT>>::Error;

/// The error of a handler: none, or one that crosses calls.
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
        wire::decode(bytes)
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
        wire::decode(bytes)
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
impl<T: serde::Serialize> RouteResult<{ kind::VALUE }> for T {
    fn into_reply(self) -> Outcome {
        encode_result(&self)
    }
}

impl RouteResult<{ kind::RESPONSE }> for Response {
    fn into_reply(self) -> Outcome {
        Ok(crate::call::Reply::Response(self))
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
        self.into_accepted().map(crate::call::Reply::Accept)
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

/// A result for which a route may state the status.
#[diagnostic::on_unimplemented(
    message = "`{Self}` carries its own status",
    label = "has no effect",
    note = "remove `status`, and set the status of the response"
)]
pub trait TakesStatus<const IS_RESPONSE: bool> {}

#[diagnostic::do_not_recommend]
impl<T> TakesStatus<false> for T {}

pub const fn assert_takes_status<T: TakesStatus<IS_RESPONSE>, const IS_RESPONSE: bool>() {}

/// The result of a route whose status allows no body.
#[diagnostic::on_unimplemented(
    message = "a response with this status has no body, so `{Self}` would be discarded",
    label = "allows no body",
    note = "return `()` or `Result<(), E>`, or state another status"
)]
pub trait Bodiless {}

impl Bodiless for () {}

pub const fn assert_bodiless<T: Bodiless>() {}

/// The status of a success that the route does not state.
#[must_use]
pub const fn success_status(is_unit: bool) -> u16 {
    if is_unit { 204 } else { 200 }
}

/// Turns the result of a route's handler into a reply.
pub fn reply_to_route<V, E, const KIND: u8, const IS_RESULT: bool>(result: Result<V, E>) -> Outcome
where
    V: RouteResult<KIND>,
    E: HandlerError<IS_RESULT>,
{
    match result {
        Ok(value) => value.into_reply(),
        Err(error) => Err(error.fault()),
    }
}

/// Turns the result of a `#[websocket]` handler into a reply.
pub fn reply_to_upgrade<V, E, const IS_RESULT: bool>(result: Result<V, E>) -> Outcome
where
    V: UpgradeResult,
    E: HandlerError<IS_RESULT>,
{
    match result {
        Ok(accept) => accept.into_reply(),
        Err(error) => Err(error.fault()),
    }
}

/// Turns the result of an event without a caller into a reply.
pub fn reply_to_event<V, E, const IS_RESULT: bool>(result: Result<V, E>) -> Outcome
where
    V: EventResult,
    E: HandlerError<IS_RESULT>,
{
    match result {
        Ok(_) => reply_nothing(),
        Err(error) => Err(error.fault()),
    }
}

/// The reply of a handler that returns nothing.
pub fn reply_nothing() -> Outcome {
    encode_result(&())
}

/// An argument of an `#[rpc]` method.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent to another object",
    label = "needs `Serialize` and `Deserialize`",
    note = "derive `serde::Serialize` and `serde::Deserialize` for the type"
)]
pub trait MethodArgument<const KIND: u8>: Sized {
    fn take(call: &mut Call, index: usize, name: &'static str) -> Result<Self, Fault>;
    fn take_body(call: &mut Call, index: usize, name: &'static str) -> Result<Self, Fault>;
    fn push(arguments: &mut Arguments, name: &'static str, value: &Self);
}

#[diagnostic::do_not_recommend]
impl<T: Carried> MethodArgument<{ kind::VALUE }> for T {
    fn take(call: &mut Call, index: usize, name: &'static str) -> Result<Self, Fault> {
        call.argument(index, name)
    }

    fn take_body(call: &mut Call, index: usize, name: &'static str) -> Result<Self, Fault> {
        call.body(index, name)
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
    fn take(call: &mut Call, index: usize, name: &'static str) -> Result<Self, Fault>;
}

#[diagnostic::do_not_recommend]
impl<T: Argument> RouteArgument<{ kind::VALUE }> for T {
    fn take(call: &mut Call, index: usize, name: &'static str) -> Result<Self, Fault> {
        call.argument(index, name)
    }
}

impl RouteArgument<{ kind::REQUEST }> for Request {
    fn take(call: &mut Call, _: usize, _: &'static str) -> Result<Self, Fault> {
        call.request()
    }
}

/// The argument of a route that takes the whole body.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from the body of a request",
    label = "needs `Deserialize`",
    note = "derive `serde::Deserialize` for the type"
)]
pub trait BodyArgument<const KIND: u8>: Sized {
    fn take(call: &mut Call, index: usize, name: &'static str) -> Result<Self, Fault>;
}

#[diagnostic::do_not_recommend]
impl<T: Argument> BodyArgument<{ kind::VALUE }> for T {
    fn take(call: &mut Call, index: usize, name: &'static str) -> Result<Self, Fault> {
        call.body(index, name)
    }
}

/// The message of a `#[message]` handler.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from a message",
    label = "needs `Deserialize`",
    note = "derive `serde::Deserialize` for the type, or take the message as it is:\n`#[message(text)]` with `&str`, `#[message(binary)]` with `&[u8]`"
)]
pub trait MessageArgument<const KIND: u8>: Sized {
    fn take(call: &mut Call) -> Result<Self, Fault>;
}

#[diagnostic::do_not_recommend]
impl<T: Argument> MessageArgument<{ kind::VALUE }> for T {
    fn take(call: &mut Call) -> Result<Self, Fault> {
        call.message()
    }
}

/// The payload of an alarm.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be stored as the payload of an alarm",
    label = "needs `Serialize` and `Deserialize`",
    note = "derive `serde::Serialize` and `serde::Deserialize` for the type"
)]
pub trait AlarmPayload<const KIND: u8>: Sized {
    fn take(call: &mut Call) -> Result<Self, Fault>;
    fn schedule<'a>(ctx: &'a Ctx, alarm: &'static str, payload: &Self) -> Scheduling<'a>;
}

#[diagnostic::do_not_recommend]
impl<T: Carried> AlarmPayload<{ kind::VALUE }> for T {
    fn take(call: &mut Call) -> Result<Self, Fault> {
        call.payload()
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

/// The argument of an `#[alarm]` handler that is called `AlarmRun`.
#[diagnostic::on_unimplemented(
    message = "the name `AlarmRun` is read as `anchorhold::AlarmRun` in an `#[alarm]` method",
    label = "another type",
    note = "give the type another name, for example with `use … as …`"
)]
pub trait RunArgument: From<AlarmRun> {}

impl RunArgument for AlarmRun {}

pub fn take_run<T: RunArgument>(call: &mut Call) -> Result<T, Fault> {
    call.alarm_run().map(T::from)
}

pub fn take_message<T: MessageArgument<KIND>, const KIND: u8>(call: &mut Call) -> Result<T, Fault> {
    T::take(call)
}

pub fn take_text<T: TextMessage>(call: &mut Call) -> Result<T, Fault> {
    call.text().map(T::from)
}

pub fn take_binary<T: BinaryMessage>(call: &mut Call) -> Result<T, Fault> {
    call.binary().map(T::from)
}

pub fn take_close<T: CloseArgument>(call: &mut Call) -> Result<T, Fault> {
    call.close_event().map(T::from)
}

pub fn take_error<T: ErrorArgument>(call: &mut Call) -> Result<T, Fault> {
    call.socket_error().map(T::from)
}

pub fn take_argument<T: RouteArgument<KIND>, const KIND: u8>(
    call: &mut Call,
    index: usize,
    name: &'static str,
) -> Result<T, Fault> {
    T::take(call, index, name)
}

pub fn take_body<T: BodyArgument<KIND>, const KIND: u8>(
    call: &mut Call,
    index: usize,
    name: &'static str,
) -> Result<T, Fault> {
    T::take(call, index, name)
}

/// An argument beside one that may be the whole request.
#[diagnostic::on_unimplemented(
    message = "this argument has nothing left to be read from, because `{Self}` takes the whole request",
    label = "neither in the path nor in the request's body or query string",
    note = "bind it by the path, or remove the `{Self}`"
)]
pub trait LeavesTheRest<const TAKES_ALL: bool> {}

#[diagnostic::do_not_recommend]
impl<T> LeavesTheRest<false> for T {}

pub const fn assert_leaves_the_rest<T: LeavesTheRest<TAKES_ALL>, const TAKES_ALL: bool>() {}

/// What a handler may borrow, apart from text and bytes.
#[diagnostic::on_unimplemented(
    message = "a handler cannot borrow `{Self}`",
    label = "only `&str`, `&[u8]` and `ctx: &Ctx` can be borrowed",
    note = "arguments are decoded from the call: own the value, as in `String`;\nan object reaches other objects through `ctx: &Ctx`, with `ctx.objects::<…>()`"
)]
pub trait Borrowed {
    fn of(ctx: &Ctx) -> &Self;
}

impl Borrowed for Ctx {
    fn of(ctx: &Ctx) -> &Self {
        ctx
    }
}

pub fn borrow<T: ?Sized + Borrowed>(ctx: &Ctx) -> &T {
    T::of(ctx)
}

/// What the handler of a socket's event may borrow.
#[diagnostic::on_unimplemented(
    message = "the handler of a socket event cannot borrow `{Self}`",
    label = "only `ctx: &Ctx` and `socket: &Socket<Session>` can be borrowed"
)]
pub trait BorrowedByEvent: Sized {
    type Held<'a>: Deref<Target = Self>;
    fn hold<'a>(ctx: &'a Ctx, call: &Call) -> Result<Self::Held<'a>, Fault>;
}

impl BorrowedByEvent for Ctx {
    type Held<'a> = &'a Ctx;

    fn hold<'a>(ctx: &'a Ctx, _: &Call) -> Result<&'a Ctx, Fault> {
        Ok(ctx)
    }
}

impl<S: 'static> BorrowedByEvent for Socket<S> {
    type Held<'a> = Owned<Self>;

    fn hold<'a>(_: &'a Ctx, call: &Call) -> Result<Owned<Self>, Fault> {
        call.socket().map(Owned)
    }
}

/// Something that a handler borrows and that its event owns.
pub struct Owned<T>(T);

impl<T> Deref for Owned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

pub fn hold<'a, T: BorrowedByEvent>(ctx: &'a Ctx, call: &Call) -> Result<T::Held<'a>, Fault> {
    T::hold(ctx, call)
}

/// A socket whose session is the one that the upgrade accepts.
#[diagnostic::on_unimplemented(
    message = "the session of this socket is not the one that `#[websocket]` accepts",
    label = "`{Self}`, but the upgrade answers `{Upgrade}`",
    note = "use one session type for all sockets of an object, for example an enum"
)]
pub trait SessionOf<Upgrade> {}

impl<S> SessionOf<Accept<S>> for Socket<S> {}

#[diagnostic::do_not_recommend]
impl<Upgrade> SessionOf<Upgrade> for Ctx {}

pub const fn assert_session_of<T: SessionOf<Upgrade>, Upgrade>() {}

/// What `#[anchorhold::app]` returns.
#[diagnostic::on_unimplemented(
    message = "the app function must return `App`",
    label = "is not an `App`",
    note = "write `fn app() -> App`"
)]
pub trait IsApp {}

impl IsApp for App {}

pub const fn assert_app<T: IsApp>() {}

/// Stands where a type of a refused kind would have to be: rustc reports the requirement of the
/// innermost trait only if it is about another type than the outermost.
pub struct Refused;

/// For each kind of type, the places where it cannot be, and the trait whose message says so.
/// [`Refused`] implements none of these traits.
macro_rules! refused {
    ($(
        $(#[$message:meta])*
        $reason:ident: $($place:ident<$kind:ident>),*;
    )*) => {$(
        $(#[$message])*
        pub trait $reason<T> {
            fn never<R>() -> R;
        }

        $(refused! { @ $place $kind $reason })*
    )*};
    (@ MethodArgument $kind:ident $reason:ident) => {
        impl<T> MethodArgument<{ kind::$kind }> for T where Refused: $reason<T> {
            fn take(_: &mut Call, _: usize, _: &'static str) -> Result<Self, Fault> {
                <Refused as $reason<T>>::never()
            }
            fn take_body(_: &mut Call, _: usize, _: &'static str) -> Result<Self, Fault> {
                <Refused as $reason<T>>::never()
            }
            fn push(_: &mut Arguments, _: &'static str, _: &Self) {
                <Refused as $reason<T>>::never()
            }
        }
    };
    (@ MethodResult $kind:ident $reason:ident) => {
        impl<T> MethodResult<{ kind::$kind }> for T where Refused: $reason<T> {
            fn encode(&self) -> Outcome {
                <Refused as $reason<T>>::never()
            }
            fn decode(_: &[u8]) -> Result<Self, String> {
                <Refused as $reason<T>>::never()
            }
        }
    };
    (@ RouteResult $kind:ident $reason:ident) => {
        impl<T> RouteResult<{ kind::$kind }> for T where Refused: $reason<T> {
            fn into_reply(self) -> Outcome {
                <Refused as $reason<T>>::never()
            }
        }
    };
    (@ MessageArgument $kind:ident $reason:ident) => {
        impl<T> MessageArgument<{ kind::$kind }> for T where Refused: $reason<T> {
            fn take(_: &mut Call) -> Result<Self, Fault> {
                <Refused as $reason<T>>::never()
            }
        }
    };
    (@ AlarmPayload $kind:ident $reason:ident) => {
        impl<T> AlarmPayload<{ kind::$kind }> for T where Refused: $reason<T> {
            fn take(_: &mut Call) -> Result<Self, Fault> {
                <Refused as $reason<T>>::never()
            }
            fn schedule<'a>(_: &'a Ctx, _: &'static str, _: &Self) -> Scheduling<'a> {
                <Refused as $reason<T>>::never()
            }
        }
    };
    (@ $place:ident $kind:ident $reason:ident) => {
        impl<T> $place<{ kind::$kind }> for T where Refused: $reason<T> {
            fn take(_: &mut Call, _: usize, _: &'static str) -> Result<Self, Fault> {
                <Refused as $reason<T>>::never()
            }
        }
    };
}

refused! {
    #[diagnostic::on_unimplemented(
        message = "`{T}` is only available in HTTP routes",
        label = "this method is called without a request",
        note = "take the values by name, or remove the attribute that is not a route"
    )]
    OnlyInRoutes: MethodArgument<REQUEST>, AlarmPayload<REQUEST>;

    #[diagnostic::on_unimplemented(
        message = "`#[body]` decodes the body into a value",
        label = "takes the whole request",
        note = "remove `#[body]`"
    )]
    NotABody: BodyArgument<REQUEST>;

    #[diagnostic::on_unimplemented(
        message = "a message does not provide a `{T}`",
        label = "not available here",
        note = "keep what is needed of the request in the session"
    )]
    NotInMessages: MessageArgument<REQUEST>;

    #[diagnostic::on_unimplemented(
        message = "the context is passed by shared reference",
        label = "write `ctx: &Ctx`"
    )]
    PassedByReference:
        MethodArgument<CONTEXT>, RouteArgument<CONTEXT>, BodyArgument<CONTEXT>,
        MessageArgument<CONTEXT>, AlarmPayload<CONTEXT>;

    #[diagnostic::on_unimplemented(
        message = "`{T}` is only available in the app",
        label = "not available in an object",
        note = "an object reaches other objects through `ctx: &Ctx`, with `ctx.objects::<…>()`"
    )]
    OnlyInTheApp:
        MethodArgument<ENV>, RouteArgument<ENV>, BodyArgument<ENV>,
        MessageArgument<ENV>, AlarmPayload<ENV>;

    #[diagnostic::on_unimplemented(
        message = "`AlarmRun` is only available in `#[alarm]` methods, and under this name",
        label = "not available here",
        note = "write `run: AlarmRun` in a method that has no attribute but `#[alarm]`"
    )]
    OnlyInAlarms:
        MethodArgument<ALARM_RUN>, RouteArgument<ALARM_RUN>, BodyArgument<ALARM_RUN>,
        MessageArgument<ALARM_RUN>, AlarmPayload<ALARM_RUN>;

    #[diagnostic::on_unimplemented(
        message = "a socket is passed by shared reference, and only to the handlers of its events",
        label = "not available here",
        note = "write `socket: &Socket<Session>` in a `#[message]`, `#[close]` or `#[error]` method"
    )]
    OnlyInSocketEvents:
        MethodArgument<SOCKET>, RouteArgument<SOCKET>, BodyArgument<SOCKET>,
        MessageArgument<SOCKET>, AlarmPayload<SOCKET>;

    #[diagnostic::on_unimplemented(
        message = "this event does not provide a `{T}`",
        label = "not available here",
        note = "a `CloseEvent` is for `#[close]`, a `SocketError` for `#[error]`"
    )]
    OnlyOfTheEnd:
        MethodArgument<SOCKET_EVENT>, RouteArgument<SOCKET_EVENT>, BodyArgument<SOCKET_EVENT>,
        MessageArgument<SOCKET_EVENT>, AlarmPayload<SOCKET_EVENT>;

    #[diagnostic::on_unimplemented(
        message = "`{T}` is an answer and cannot be an argument",
        label = "cannot be decoded"
    )]
    OnlyAnAnswer:
        MethodArgument<RESPONSE>, RouteArgument<RESPONSE>, BodyArgument<RESPONSE>,
        MessageArgument<RESPONSE>, AlarmPayload<RESPONSE>,
        MethodArgument<ACCEPT>, RouteArgument<ACCEPT>, BodyArgument<ACCEPT>,
        MessageArgument<ACCEPT>, AlarmPayload<ACCEPT>;

    #[diagnostic::on_unimplemented(
        message = "an `#[rpc]` method cannot return `{T}`",
        label = "a typed caller cannot receive it",
        note = "return the value and let the route make the response, or remove `#[rpc]`"
    )]
    OnlyOfRoutes: MethodResult<RESPONSE>, MethodResult<ACCEPT>;

    #[diagnostic::on_unimplemented(
        message = "only a `#[websocket]` route accepts sockets",
        label = "this route cannot",
        note = "write `#[websocket(\"/path\")]` instead of this method's route"
    )]
    OnlyOfUpgrades: RouteResult<ACCEPT>;

    #[diagnostic::on_unimplemented(
        message = "`{T}` cannot be sent to a caller",
        label = "belongs to the object",
        note = "return a value that serde can write"
    )]
    OnlyInside:
        MethodResult<REQUEST>, MethodResult<CONTEXT>, MethodResult<ENV>, MethodResult<SOCKET>,
        MethodResult<ALARM_RUN>, MethodResult<SOCKET_EVENT>,
        RouteResult<REQUEST>, RouteResult<CONTEXT>, RouteResult<ENV>, RouteResult<SOCKET>,
        RouteResult<ALARM_RUN>, RouteResult<SOCKET_EVENT>;
}
