//! The backend for Cloudflare Workers and everything else that runs a Wrangler bundle.
//!
//! - [`class`] and [`entry`] are what the platform calls: the methods of the exported classes and
//!   the Worker's `fetch`.
//! - [`state`], [`socket`], [`env`], [`remote`], [`request`], [`response`] are the seam's types.
//! - [`promise`] and [`tasks`] drive on what is not ready at once. `life.js` is every way into
//!   WebAssembly and answers panics and traps; [`wear`] says when aborts have worn an instance out.
//! - [`timer`] knows which context of the platform runs, and shares one of its timers among sleepers.
//! - [`gathering`] lets events that arrive together share a commit.
//! - [`bindings`] declares the JavaScript side. A crossing between JavaScript and WebAssembly costs
//!   about as much as encoding a small value, so the ways of every request are laid with few of
//!   them.

mod bindings;
mod class;
mod entry;
mod env;
mod failure;
mod gathering;
mod habits;
mod log;
mod promise;
mod raw;
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
pub(crate) use self::env::{Env, Namespace};
pub(crate) use self::remote::Remote;
pub(crate) use self::request::Request;
pub(crate) use self::response::RawResponse;
pub(crate) use self::socket::{Socket, Upgrade};
pub(crate) use self::state::ObjectState;

/// Milliseconds since 1970. The platform's clock stands still between I/O.
#[expect(
    clippy::cast_possible_truncation,
    reason = "whole milliseconds within 2^53"
)]
fn now() -> i64 {
    js_sys::Date::now() as i64
}

fn random(into: &mut [u8]) {
    // The platform fills up to this much at once and fails on nothing else.
    const MOST: usize = 65_536;
    for part in into.chunks_mut(MOST) {
        if let Err(error) = bindings::fill_random(part) {
            wasm_bindgen::throw_val(error);
        }
    }
}
