//! Recognises a user's type by the type itself instead of by its name.
//!
//! An attribute only sees text: `Answer<i64>` may be an alias of a `Result`, and `Request` a
//! user-defined type. Generated code therefore asks [`Probe`] and passes the answer on as a const
//! argument. Each trait below can thus treat a `Result` or a [`Request`] specially without
//! overlapping its blanket implementation. Traits without any implementation exist only for their
//! message.
#![allow(missing_docs, reason = "the vocabulary of generated code")]

mod argument;
mod borrowed;
mod collected;
pub mod kind;
mod output;
mod refused;
mod text;

pub use argument::*;
pub use borrowed::*;
pub use collected::*;
pub use output::*;
pub use refused::*;
pub use text::*;

use std::cell::{Cell, LazyCell, OnceCell, RefCell, UnsafeCell};
use std::marker::PhantomData;
use std::panic::RefUnwindSafe;
use std::rc::{self, Rc};
use std::sync::atomic::{
    AtomicBool, AtomicI8, AtomicI16, AtomicI32, AtomicI64, AtomicIsize, AtomicPtr, AtomicU8,
    AtomicU16, AtomicU32, AtomicU64, AtomicUsize,
};
use std::sync::{self, Arc, LazyLock, Mutex, OnceLock, RwLock};

use super::bounds::Argument;
use crate::codec::text::{QueryMisfit, misfit, query_misfit};
use crate::http::{Request, Response};
use crate::object::context::{Ctx, Env};
use crate::schedule::AlarmRun;
use crate::socket::{Accept, CloseEvent, Socket, SocketError};
use crate::storage::log::StoredLog;
use crate::storage::map::StoredMap;

/// Returns properties of `T`. An inherent constant takes precedence over that of a trait in scope,
/// so [`Unrecognised`] answers for every type without a constant here. The names start with `__`,
/// because a user's trait that every type implements would make an ordinary name ambiguous.
pub struct Probe<T: ?Sized>(PhantomData<fn(&T)>);

pub trait Unrecognised {
    const __KIND: u8 = kind::VALUE;
    const __IS_RESULT: bool = false;
    const __IS_UNIT: bool = false;
    const __ESCAPES_ROLLBACK: bool = false;
    const __CHANGES_ONLY_THROUGH_MUT: bool = false;
    const __IS_COLLECTION: bool = false;
    const __KEEPS_NOTHING: bool = false;
    const __IS_LIST: bool = false;
    const __HAS_NO_FIELDS: bool = false;
    const __TEXT_MISFIT: fn() -> Option<&'static str> = || None;
    const __QUERY_MISFIT: fn() -> Option<QueryMisfit> = || None;
}

impl<T: ?Sized> Unrecognised for Probe<T> {}

impl<T, E> Probe<Result<T, E>> {
    pub const __IS_RESULT: bool = true;
}

impl Probe<()> {
    pub const __IS_UNIT: bool = true;
}

/// A bound in generated code would be a second error for a type that cannot be read at all.
impl<T: Argument> Probe<T> {
    /// Returns the reason why it cannot be read from one text, such as a path segment.
    pub const __TEXT_MISFIT: fn() -> Option<&'static str> = misfit::<T>;
    /// Returns the reason why it cannot be read from a query string.
    pub const __QUERY_MISFIT: fn() -> Option<QueryMisfit> = query_misfit::<T>;
}

/// An auto trait, which also covers the types inside other types.
impl<T: ?Sized + RefUnwindSafe> Probe<T> {
    pub const __CHANGES_ONLY_THROUGH_MUT: bool = true;
}

impl<K, V> Probe<StoredMap<K, V>> {
    pub const __IS_COLLECTION: bool = true;
}

impl<T, const BOUND: u64> Probe<StoredLog<T, BOUND>> {
    pub const __IS_COLLECTION: bool = true;
    pub const __KEEPS_NOTHING: bool = BOUND == 0;
}

macro_rules! kinds {
    ($($({ $parameter:ident })? $ty:ty => $kind:ident,)*) => {$(
        impl $(<$parameter>)? Probe<$ty> {
            pub const __KIND: u8 = kind::$kind;
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
            pub const __ESCAPES_ROLLBACK: bool = true;
        }
    )*};
}

// Types that are shared, or that change behind a shared reference.
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

/// A field whose value may be lost when the object leaves memory.
#[diagnostic::on_unimplemented(
    message = "a stored collection keeps its entries in storage",
    label = "cannot be forgotten",
    note = "remove `#[memory]`, or use `HashMap` or `Vec`"
)]
pub trait Forgettable<const IS_COLLECTION: bool> {}

#[diagnostic::do_not_recommend]
impl<T: ?Sized> Forgettable<false> for T {}

pub const fn assert_forgettable<T, const IS_COLLECTION: bool>()
where
    T: ?Sized + Forgettable<IS_COLLECTION>,
{
}

/// A field whose key may be a prefix of another field's key.
#[diagnostic::on_unimplemented(
    message = "this key belongs to the entries of a `{Self}`",
    label = "begins with the key of the collection",
    note = "choose another key"
)]
pub trait LeavesKeysFree<const IS_COLLECTION: bool> {}

#[diagnostic::do_not_recommend]
impl<T: ?Sized> LeavesKeysFree<false> for T {}

pub const fn assert_key_is_free<T, const IS_COLLECTION: bool>()
where
    T: ?Sized + LeavesKeysFree<IS_COLLECTION>,
{
}
