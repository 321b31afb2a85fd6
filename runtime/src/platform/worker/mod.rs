//! The backend for Cloudflare Workers and everything else that runs a Wrangler bundle.
//!
//! - [`seam`] has the types that the engine calls.
//! - [`entry`] has what the platform calls: the methods of the exported classes and the Worker's
//!   `fetch`.
//! - [`drive`] drives what is not ready immediately: tasks, promises, timers, shared commits.
//! - [`js`] declares the JavaScript side. `life.js` wraps every entry into WebAssembly and handles
//!   panics and traps. A crossing between JavaScript and WebAssembly costs about as much as encoding
//!   a small value. The code that every request runs thus avoids crossings.
//! - [`raw`] has the escape hatches to the `worker` crate.

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
pub(crate) use seam::incoming::{Incoming, sleep};
pub(crate) use seam::namespace::Namespace;
pub(crate) use seam::raw_response::RawResponse;
pub(crate) use seam::remote::Remote;
pub(crate) use seam::request::{MAX_BODY, Request};
pub(crate) use seam::socket::{Socket, Upgrade};
pub(crate) use seam::state::ObjectState;
