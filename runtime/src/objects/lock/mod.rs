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
//!     // … pass `lease.token` to the protected resource …
//!     lock.release(Release::of(lease.lease)).await
//! }
//! ```
//!
//! An object that holds the lock for longer than one lease can use [`Held`], which renews. The
//! protected resource keeps a [`Fence`].
//!
//! # Guarantees
//! - An exclusive lease is never active together with another; shared leases may be active
//!   together. Leases that exclude each other never overlap in the lock's own time, which is
//!   monotonic.
//! - Every lease has a larger token than all before it, for as long as the lock's name is used:
//!   across expiry, release, eviction, crash and restart.
//! - First come, first served: shared and exclusive requests are in one queue, so neither starves
//!   the other. (A crash or a reset loses the queue. The waiting callers get an error that [is
//!   retryable](anchorhold::CallError::is_retryable).)
//! - A request with a `request_id` is idempotent: a retry gets the same lease while that is active,
//!   and keeps its place while it waits.
//! - A waiting caller that disconnects leaves the queue, with its place, where the host [reports
//!   it](anchorhold::Ctx::caller_gone).
//! - The lock is not re-entrant: a holder that requests it again without its request id waits like
//!   any other. A re-entrant lock would have to trust a holder's name.
//!
//! # How it works
//! A caller that waits in an exclusive turn would block the release that it waits for, so every
//! method is a shared turn. The durable state (leases, the token, the lock-delay) is one entry of
//! storage, read and written without an await in between. The queue is in memory.
//!
//! The turn that frees the lock (a release, a cancellation, the alarm at an expiry) first stores
//! the next lease and then wakes its caller. A waiting call that ends early (its caller
//! disconnected, its memory was reset) leaves the queue. A lease that it was just granted is
//! released.

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
