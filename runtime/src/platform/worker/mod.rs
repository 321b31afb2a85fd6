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

mod clock;
mod drive;
mod entry;
mod ids;
mod js;
mod log;
mod raw;
mod seam;

pub use wasm_bindgen;

pub use entry::class::{Exported, ObjectClass, extend_durable_object};
pub use entry::fetch::{ExportedApp, worker_fetch};
pub(crate) use seam::env::Env;
pub(crate) use seam::namespace::Namespace;
pub(crate) use seam::raw_response::RawResponse;
pub(crate) use seam::remote::Remote;
pub(crate) use seam::request::Request;
pub(crate) use seam::socket::{Socket, Upgrade};
pub(crate) use seam::state::ObjectState;
