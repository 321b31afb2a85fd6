//! A lock with leases, fencing tokens and a waiting queue.
//!
//! ```
//! use anchorhold::objects::Lock;
//! use anchorhold::objects::lock::{Acquire, LockError, Release};
//! use anchorhold::prelude::*;
//! use std::time::Duration;
//!
//! async fn work(env: &Env) -> Result<(), CallError<LockError>> {
//!     let lock = env.objects::<Lock>().named("invoice-7");
//!     let request = Acquire::new("worker-1", Duration::from_secs(30)).wait(Duration::from_secs(5));
//!     let lease = lock.acquire(request).await?;
//!     // … give `lease.token` to whatever the lock protects …
//!     lock.release(Release::of(lease.lease)).await
//! }
//! ```
//!
//! From an object that holds the lock for longer than one lease, use [`Held`], which renews. What
//! the lock protects keeps a [`Fence`].
//!
//! # What it promises
//! - An exclusive lease lives alone; shared leases live beside each other. No two that exclude each
//!   other overlap in the lock's own time, which never runs backwards.
//! - Every lease has a larger token than all before it, for as long as the lock's name is used: across expiry,
//!   release, eviction, crash and restart.
//! - First come, first served, shared and exclusive in one queue, so neither starves the other. (A
//!   crash or a reset forgets the queue; the callers that waited get an error that
//!   [is retryable](anchorhold::CallError::is_retryable).)
//! - A request with a `request_id` can be repeated: it gets the same lease for as long as that
//!   lives, and keeps its place while it waits.
//! - A waiting caller that hangs up leaves the queue, with its place, where the host
//!   [tells](anchorhold::Ctx::caller_gone).
//! - It is not re-entrant: a holder that asks again, without its request id, waits for itself like
//!   everybody else. A lock that lets "the same" holder in twice has to believe a name.
//!
//! # How it works
//! A caller that waits in an exclusive turn would keep out the release that it waits for. So
//! every method is a shared turn. What must last (leases, the token, the lock-delay) is in one
//! entry of storage, read and written without an await in between; who waits is in memory. The turn that
//! frees the lock (a release, a cancellation, the alarm at an expiry) stores the next lease first
//! and wakes its caller then. A waiting call that ends early (its caller hung up, its memory was
//! reset) leaves the queue; a lease that it was just given is released.

pub mod core;
mod error;
mod fence;
mod held;
mod object;
mod request;

pub use self::error::{LockError, Obstacle};
pub use self::fence::{Fence, StaleToken};
pub use self::held::{Held, LeaseLost};
pub use self::object::{Lock, LockSchedules, LockStub, MAX_BROKEN};
pub use self::request::{
    Acquire, Break, Broken, Cancelled, Holder, InQueue, Inspection, LOCK_DELAY_MILLIS, Lease, Mode,
    NAME_BYTES, REASON_BYTES, Release, Renew, Status, TTL_MILLIS, WAIT_MILLIS,
};
