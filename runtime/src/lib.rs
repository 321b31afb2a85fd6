//! Durable Objects in Rust: one source for Cloudflare Workers, an embedded host and a deterministic
//! simulator.
//!
//! A Durable Object is a single-threaded, addressable, stateful unit, for example one per chat
//! room, user or document. Annotate a struct and its impl block to get HTTP routing, durable
//! fields, typed stubs, alarms and WebSockets.
//!
//! # Quick start
//!
//! ```
//! use anchorhold::prelude::*;
//!
//! #[durable_object]
//! pub struct Counter {
//!     value: i64, // durable: loaded before the first event, written when a turn succeeds
//! }
//!
//! #[durable_object]
//! impl Counter {
//!     #[rpc]
//!     #[post("/increment")]
//!     fn increment(&mut self, by: i64) -> i64 {
//!         self.value = self.value.saturating_add(by);
//!         self.value
//!     }
//! }
//!
//! #[anchorhold::app]
//! pub fn app() -> App {
//!     App::new().mount::<Counter>("/counters/{name}")
//! }
//!
//! # /*
//! #[anchorhold::test]
//! # */
//! async fn value_survives_eviction(sim: Sim) {
//!     let counter = sim.objects::<Counter>().named("visits");
//!     counter.increment(2).await.unwrap();
//!     sim.evict(&counter).await;
//!     assert_eq!(counter.increment(3).await.unwrap(), 5);
//! }
//! # anchorhold::__private::run_test(Some(1), "value", value_survives_eviction);
//! ```
//!
//! # Hosts
//!
//! | host | how | for |
//! | --- | --- | --- |
//! | Cloudflare Workers | compile the library for `wasm32-unknown-unknown`, bundle it with `worker-build` | production at the edge; any host that runs a Wrangler bundle |
//! | embedded host | `serve(app)` in `main` (not on wasm32) | one process on your own machine, with embedded SQLite |
//! | simulator | [`#[anchorhold::test]`](macro@test), `Sim` (not on wasm32) | tests with virtual time, seeds and faults |
//!
//! # Overview
//!
//! - **Declare**: [`durable_object`], [`rpc`], the routes [`get`], [`post`], [`put`], [`patch`] and
//!   [`delete`], [`websocket`], [`message`], [`close`], [`macro@error`], [`init`], [`alarm`]; for fields
//!   [`stored`] and [`memory`]; for arguments [`body`] and [`query`].
//! - **In a handler**: [`Ctx`] gives access to [`Storage`], [`Sql`], [`Sockets`], schedules, other
//!   objects and outgoing requests. [`StoredMap`] and [`StoredLog`] are fields for collections that
//!   grow.
//! - **Call**: [`Env::objects`] returns [`Namespace`], which returns stubs. A failed call returns a
//!   [`CallError`].
//! - **Serve**: [`App`] with its mounts, guards and handlers, and [`macro@app`].
//! - **Test**: `Sim`, `Faults`, and the checkers in `check` (not on wasm32).
//! - **Ready-made**: [`objects`], one cargo feature each.
//!
//! # Guarantees
//!
//! A turn is a transaction. If it returns `Err`, its fields, storage, SQL and schedules are rolled
//! back and it sends nothing. Replies, calls and messages are held until the writes before them are
//! durable. An alarm runs at least once, and never early. `docs/guarantees.md` in the repository
//! lists the limits of each guarantee.
// docs.rs marks what a feature or a target is needed for. That needs the nightly compiler.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(missing_docs)]
#![forbid(unsafe_op_in_unsafe_fn)]

mod app;
#[cfg(not(target_arch = "wasm32"))]
pub mod check;
mod error;
#[cfg(test)]
mod fuzz;
mod http;
mod limits;
mod macro_support;
mod object;
pub mod objects;
mod platform;
mod schedule;
mod socket;
mod storage;
mod time;
mod turn;

#[doc(hidden)]
#[allow(missing_docs, reason = "generated code's own vocabulary")]
pub mod __private {
    pub use crate::macro_support::*;
}
mod codec;
mod engine;

// Generated code refers to `::anchorhold::…`, also in this crate's own objects and examples.
extern crate self as anchorhold;

#[doc(inline)]
pub use anchorhold_macros::{
    alarm, app, body, close, delete, durable_object, error, get, init, memory, message, patch,
    post, put, query, rpc, stored, test, websocket,
};

pub use crate::app::sharding::shard_name;
pub use crate::app::{App, MatchedRoute, Visit};
pub use crate::error::{CallError, Error, ObjectError, StorageError};
pub use crate::http::event::Event;
pub use crate::http::stream::BodyStream;
pub use crate::http::{Request, Response};
pub use crate::object::context::{Ctx, Env};
pub use crate::object::id::{InvalidId, ObjectId};
pub use crate::object::namespace::Namespace;
pub use crate::object::pending_call::PendingCall;
pub use crate::object::{DurableObject, Stub};
#[cfg(not(target_arch = "wasm32"))]
pub use crate::platform::native::{FaultKind, Faults, PendingRun, Sim, SimSocket, serve};
pub use crate::schedule::cron::CronSchedule;
pub use crate::schedule::{AlarmRun, Scheduling};
pub use crate::socket::{Accept, CloseEvent, Message, Socket, SocketError, Sockets};
pub use crate::storage::log::StoredLog;
pub use crate::storage::map::StoredMap;
pub use crate::storage::sql::{Sql, SqlParameters, SqlValue};
pub use crate::storage::{List, Storage};
pub use crate::time::Timestamp;

/// The imports of a file that declares objects.
///
/// [`#[error]`](macro@crate::error) is not included, because `error!` of `log` and `tracing` has
/// the same name. Inside an object's impl block it is recognised without an import.
pub mod prelude {
    #[cfg(not(target_arch = "wasm32"))]
    pub use crate::Sim;
    pub use crate::{
        Accept, AlarmRun, App, CallError, CloseEvent, Ctx, DurableObject, Env, Error, ObjectError,
        ObjectId, Request, Response, Socket, SocketError, StorageError, StoredLog, StoredMap, Stub,
        Timestamp, durable_object,
    };
    #[doc(no_inline)]
    pub use anchorhold_macros::{
        alarm, body, close, delete, get, init, memory, message, patch, post, put, query, rpc,
        stored, websocket,
    };
}

/// Compiles the examples of the guide and of the attribute reference.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../../docs/attributes.md")]
    struct Attributes;
    #[doc = include_str!("../../docs/http.md")]
    struct Http;
    #[doc = include_str!("../../docs/sockets.md")]
    struct Sockets;
    #[doc = include_str!("../../docs/storage.md")]
    struct Storage;
    #[doc = include_str!("../../docs/schedules.md")]
    struct Schedules;
    #[cfg(feature = "rate-limiter")]
    #[doc = include_str!("../../docs/objects/rate-limiter.md")]
    struct RateLimiter;
    #[cfg(feature = "counter")]
    #[doc = include_str!("../../docs/objects/counter.md")]
    struct Counter;
    #[cfg(feature = "scheduled-task")]
    #[doc = include_str!("../../docs/objects/scheduled-task.md")]
    struct ScheduledTask;

    #[cfg(feature = "lock")]
    #[doc = include_str!("../../docs/objects/lock.md")]
    struct Lock;
    #[cfg(feature = "chat-room")]
    #[doc = include_str!("../../docs/objects/chat-room.md")]
    struct ChatRoom;
    #[cfg(feature = "socket-hub")]
    #[doc = include_str!("../../docs/objects/socket-hub.md")]
    struct SocketHub;
}
