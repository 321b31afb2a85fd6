//! The kinds of types that are refused in certain places, each with its own message.
#![allow(missing_docs, reason = "the vocabulary of generated code")]

use super::{
    AlarmPayload, BodyArgument, MessageArgument, MethodArgument, MethodResult, RouteArgument,
    RouteResult, WholeQuery, kind,
};
use crate::engine::input::{Input, Outcome};
use crate::error::fault::Fault;
use crate::object::arguments::Arguments;
use crate::object::context::Ctx;
use crate::schedule::Scheduling;

/// Replaces a type of a refused kind: rustc reports the requirement of the innermost trait only if
/// it is about a different type than the outermost.
pub struct Refused;

/// For each kind of type, the places where it is refused, and the trait with the message.
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
        refused! { @@ MethodArgument $kind $reason
            fn take(_: &mut Input, _: usize, _: &'static str) -> Result<Self, Fault>;
            fn take_body(_: &mut Input, _: usize, _: &'static str) -> Result<Self, Fault>;
            fn take_query(_: &mut Input, _: usize, _: &'static str) -> Result<Self, Fault>;
            fn push(_: &mut Arguments, _: &'static str, _: &Self);
        }
    };
    (@ MethodResult $kind:ident $reason:ident) => {
        refused! { @@ MethodResult $kind $reason
            fn encode(&self) -> Outcome;
            fn decode(_: &[u8]) -> Result<Self, String>;
        }
    };
    (@ RouteResult $kind:ident $reason:ident) => {
        refused! { @@ RouteResult $kind $reason
            fn into_reply(self) -> Outcome;
        }
    };
    (@ MessageArgument $kind:ident $reason:ident) => {
        refused! { @@ MessageArgument $kind $reason
            fn take(_: &mut Input) -> Result<Self, Fault>;
        }
    };
    (@ AlarmPayload $kind:ident $reason:ident) => {
        refused! { @@ AlarmPayload $kind $reason
            fn take(_: &mut Input) -> Result<Self, Fault>;
            fn schedule<'a>(_: &'a Ctx, _: &'static str, _: &Self) -> Scheduling<'a>;
        }
    };
    (@ $place:ident $kind:ident $reason:ident) => {
        refused! { @@ $place $kind $reason
            fn take(_: &mut Input, _: usize, _: &'static str) -> Result<Self, Fault>;
        }
    };
    // The methods of a place. They are never called.
    (@@ $place:ident $kind:ident $reason:ident $(
        fn $method:ident $(<$lifetime:lifetime>)? ($($arguments:tt)*) $(-> $result:ty)?;
    )*) => {
        impl<T> $place<{ kind::$kind }> for T where Refused: $reason<T> {
            $(fn $method $(<$lifetime>)? ($($arguments)*) $(-> $result)? {
                <Refused as $reason<T>>::never()
            })*
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
        message = "`#[query]` decodes the query string into a value",
        label = "takes the whole request",
        note = "remove `#[query]`"
    )]
    NotAQuery: WholeQuery<REQUEST>;

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
        MethodArgument<CONTEXT>, RouteArgument<CONTEXT>, BodyArgument<CONTEXT>, WholeQuery<CONTEXT>,
        MessageArgument<CONTEXT>, AlarmPayload<CONTEXT>;

    #[diagnostic::on_unimplemented(
        message = "`{T}` is only available in the app",
        label = "not available in an object",
        note = "an object reaches other objects through `ctx: &Ctx`, with `ctx.objects::<…>()`"
    )]
    OnlyInTheApp:
        MethodArgument<ENV>, RouteArgument<ENV>, BodyArgument<ENV>, WholeQuery<ENV>,
        MessageArgument<ENV>, AlarmPayload<ENV>;

    #[diagnostic::on_unimplemented(
        message = "`AlarmRun` is only available in `#[alarm]` methods, and under this name",
        label = "not available here",
        note = "write `run: AlarmRun` in a method that has no attribute but `#[alarm]`"
    )]
    OnlyInAlarms:
        MethodArgument<ALARM_RUN>, RouteArgument<ALARM_RUN>, BodyArgument<ALARM_RUN>, WholeQuery<ALARM_RUN>,
        MessageArgument<ALARM_RUN>, AlarmPayload<ALARM_RUN>;

    #[diagnostic::on_unimplemented(
        message = "a socket is passed by shared reference, and only to the handlers of its events",
        label = "not available here",
        note = "write `socket: &Socket<Session>` in a `#[message]`, `#[close]` or `#[error]` method"
    )]
    OnlyInSocketEvents:
        MethodArgument<SOCKET>, RouteArgument<SOCKET>, BodyArgument<SOCKET>, WholeQuery<SOCKET>,
        MessageArgument<SOCKET>, AlarmPayload<SOCKET>;

    #[diagnostic::on_unimplemented(
        message = "this event does not provide a `{T}`",
        label = "not available here",
        note = "a `CloseEvent` is for `#[close]`, a `SocketError` for `#[error]`"
    )]
    OnlyOfTheEnd:
        MethodArgument<SOCKET_EVENT>, RouteArgument<SOCKET_EVENT>, BodyArgument<SOCKET_EVENT>, WholeQuery<SOCKET_EVENT>,
        MessageArgument<SOCKET_EVENT>, AlarmPayload<SOCKET_EVENT>;

    #[diagnostic::on_unimplemented(
        message = "`{T}` is an answer and cannot be an argument",
        label = "cannot be decoded"
    )]
    OnlyAnAnswer:
        MethodArgument<RESPONSE>, RouteArgument<RESPONSE>, BodyArgument<RESPONSE>, WholeQuery<RESPONSE>,
        MessageArgument<RESPONSE>, AlarmPayload<RESPONSE>,
        MethodArgument<ACCEPT>, RouteArgument<ACCEPT>, BodyArgument<ACCEPT>, WholeQuery<ACCEPT>,
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
