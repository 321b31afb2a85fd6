//! Arguments that a handler borrows: the context, and the socket of an event.
#![allow(missing_docs, reason = "the vocabulary of generated code")]

use std::ops::Deref;

use crate::engine::input::Input;
use crate::error::fault::Fault;
use crate::object::context::Ctx;
use crate::socket::{Accept, Socket};

/// Types that a handler may borrow, apart from text and bytes.
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

/// Types that the handler of a socket event may borrow.
#[diagnostic::on_unimplemented(
    message = "the handler of a socket event cannot borrow `{Self}`",
    label = "only `ctx: &Ctx` and `socket: &Socket<Session>` can be borrowed"
)]
pub trait BorrowedByEvent: Sized {
    type Held<'a>: Deref<Target = Self>;
    fn hold<'a>(ctx: &'a Ctx, input: &Input) -> Result<Self::Held<'a>, Fault>;
}

impl BorrowedByEvent for Ctx {
    type Held<'a> = &'a Ctx;

    fn hold<'a>(ctx: &'a Ctx, _: &Input) -> Result<&'a Ctx, Fault> {
        Ok(ctx)
    }
}

impl<S: 'static> BorrowedByEvent for Socket<S> {
    type Held<'a> = Owned<Self>;

    fn hold(_: &Ctx, input: &Input) -> Result<Owned<Self>, Fault> {
        input.socket().map(Owned)
    }
}

/// A value that a handler borrows and its event owns.
pub struct Owned<T>(T);

impl<T> Deref for Owned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

pub fn hold<'a, T: BorrowedByEvent>(ctx: &'a Ctx, input: &Input) -> Result<T::Held<'a>, Fault> {
    T::hold(ctx, input)
}

/// A socket whose session type is the one that the upgrade accepts.
#[diagnostic::on_unimplemented(
    message = "the session of this socket is not the one that `#[websocket]` accepts",
    label = "`{Self}`, but the upgrade answers `{Upgrade}`",
    note = "use one session type for all sockets of an object, for example an enum"
)]
pub trait SessionOf<Upgrade, const IS_SOCKET: bool> {}

impl<S> SessionOf<Accept<S>, true> for Socket<S> {}

#[diagnostic::do_not_recommend]
impl<T: ?Sized, Upgrade> SessionOf<Upgrade, false> for T {}

pub const fn assert_session_of<T, Upgrade, const IS_SOCKET: bool>()
where
    T: ?Sized + SessionOf<Upgrade, IS_SOCKET>,
{
}

/// An upgrade with the same session type as the object's other upgrades.
#[diagnostic::on_unimplemented(
    message = "two upgrades of one object accept different sessions",
    label = "`{Self}`, but another upgrade answers `{Upgrade}`",
    note = "use one session type for all sockets of an object, for example an enum"
)]
pub trait SameSession<Upgrade> {}

impl<S> SameSession<Accept<S>> for Accept<S> {}

pub const fn assert_same_session<T: SameSession<Upgrade>, Upgrade>() {}
