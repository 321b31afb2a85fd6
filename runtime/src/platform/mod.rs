//! The one seam between anchorhold and the platforms it runs on.
//!
//! A backend is a set of concrete types of the same names and methods; nothing above this module
//! knows which one is there. The choice follows the target, never a cargo feature: generated code
//! is compiled in the user's crate, where a feature of ours cannot be read.
//!
//! What each type promises:
//!
//! - [`ObjectState`]: one resident object's handle to storage (synchronous bytes under keys, SQL,
//!   savepoints), to the platform's single alarm, to its sockets, to time and randomness. Limits
//!   are checked above the seam, with the same words on both hosts. Writes without an await
//!   between them commit together; outputs wait for the writes before them (P6, P12).
//!   `segment` runs one stretch of a turn without an await and takes back what it wrote, the alarm
//!   included, if its body fails; segments do not nest, `transaction` does inside of one.
//!   What `store_fields` writes at a turn's end is not taken back: its error ends the object's memory.
//!   `delete_all` can be part of a segment. `ensure_alarm` writes only if the alarm stands too late.
//! - [`Socket`]: one accepted socket; its attachment and tags outlive the object's memory. It tells
//!   how much waits for its peer, if the platform does. A peer's Close waits for `close` or
//!   `answer_close`, whichever comes first. What an atomic turn sends is begun in the turn (`reserve`,
//!   `begin_close`) and finished or cancelled at its end.
//! - [`Env`], [`Namespace`], [`Remote`]: how one object or the app reaches another. Calls on one
//!   `Remote` keep their order (P68), and it is usable again after a failed call.
//! - [`Request`], [`RawResponse`], [`Upgrade`]: what an HTTP request, a response that is handed on
//!   as it is, and the answer to a socket's handshake are here.
//!
//! What a backend does in return: it brings an object into memory with
//! [`Occupant::wake`](crate::engine::instance::Occupant::wake), hands every event to it, polls the future
//! it gets once on the spot (most are ready) and drives it on if it is not.

#[cfg(not(target_arch = "wasm32"))]
pub(crate) mod native;
mod segment;
#[cfg(any(test, target_arch = "wasm32"))]
pub(crate) mod sql_message;
#[cfg(target_arch = "wasm32")]
pub(crate) mod worker;

#[cfg(not(target_arch = "wasm32"))]
use native as backend;
#[cfg(target_arch = "wasm32")]
use worker as backend;

pub(crate) use backend::{
    Env, Namespace, ObjectState, RawResponse, Remote, Request, Socket, Upgrade,
};
pub(crate) use segment::{Aborted, HandlerKey, SegmentEnd};
