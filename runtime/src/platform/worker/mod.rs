//! The backend for Cloudflare Workers and everything else that runs a Wrangler bundle.
//!
//! - [`class`] and [`entry`] are called by the platform: the methods of the exported classes and
//!   the Worker's `fetch`.
//! - [`state`], [`socket`], [`env`], [`namespace`], [`remote`], [`request`], [`raw_response`] are
//!   the seam's types.
//! - [`promise`] and [`tasks`] drive what is not ready immediately. `life.js` wraps every entry
//!   into WebAssembly and handles panics and traps. [`wear`] decides when aborts have worn an
//!   instance out.
//! - [`timer`] knows which context of the platform runs, and shares one of its timers among
//!   sleepers.
//! - [`gathering`] lets events that arrive together share a commit.
//! - [`bindings`] declares the JavaScript side. A crossing between JavaScript and WebAssembly costs
//!   about as much as encoding a small value. The code that every request runs thus avoids
//!   crossings.

mod bindings;
mod class;
mod clock;
mod entry;
mod env;
mod failure;
mod gathering;
mod habits;
mod ids;
mod log;
mod memory;
mod namespace;
mod promise;
mod raw;
mod raw_response;
mod remote;
mod request;
mod response;
mod socket;
mod state;
mod tasks;
mod timer;
mod wear;

pub use wasm_bindgen;

pub use self::class::{Exported, ObjectClass, extend_durable_object};
pub use self::entry::{ExportedApp, worker_fetch};
pub(crate) use self::env::Env;
pub(crate) use self::namespace::Namespace;
pub(crate) use self::raw_response::RawResponse;
pub(crate) use self::remote::Remote;
pub(crate) use self::request::Request;
pub(crate) use self::socket::{Socket, Upgrade};
pub(crate) use self::state::ObjectState;
