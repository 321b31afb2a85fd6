//! The one seam between anchorhold and the platforms that it runs on.
//!
//! A backend is a set of concrete types with the same names and methods. Code above this module
//! does not know which backend it uses. The target selects the backend. A cargo feature cannot,
//! because generated code is compiled in the user's crate, which cannot read a feature of this
//! crate.
//!
//! The contract of each type:
//!
//! - [`ObjectState`]: one resident object's handle to storage (synchronous bytes under keys, SQL,
//!   savepoints), to the platform's single alarm, to its sockets, to time and randomness. Limits
//!   are checked above the seam, with the same messages on both hosts. Writes without an await
//!   between them commit together. Outputs wait for the writes before them (P6, P12). `segment`
//!   runs one stretch of a turn without an await. If its body fails, `segment` rolls back what it
//!   wrote, the alarm included. Segments do not nest. `transaction` does, inside a segment. What
//!   `store_fields` writes at a turn's end is not rolled back: its error ends the activation.
//!   `delete_all` can be part of a segment. `ensure_alarm` writes only if the alarm is set too
//!   late.
//! - [`Socket`]: one accepted socket. Its attachment and tags outlive the activation. It tells how
//!   much waits for its peer, if the platform does. A peer's Close is answered by `close` or
//!   `answer_close`, whichever comes first. What an atomic turn sends is begun in the turn
//!   (`reserve`, `begin_close`) and finished or cancelled at its end.
//! - [`Env`], [`Namespace`], [`Remote`]: how an object or the app calls another object. Calls on
//!   one `Remote` keep their order (P68). A `Remote` is usable again after a failed call.
//! - [`Request`], [`RawResponse`], [`Upgrade`]: an HTTP request, a response that is passed on
//!   unchanged, and the answer to a socket's handshake.
//! - [`Incoming`]: a body that arrives in chunks. Dropping it stops its sender. A backend produces
//!   the body of a response with `Body::Stream` after the handler has returned: it polls the stream
//!   as code of the object, passes each chunk through the output gate, polls again when the reader
//!   has taken the chunk, and drops the stream when the reader is gone.
//!
//! In return, a backend brings an object into memory with
//! [`Instance::wake`](crate::engine::instance::Instance::wake) and passes every event to it. It polls the
//! resulting future once immediately, because most are ready. If the future is not ready, the
//! backend drives it to completion.

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
    Env, Incoming, MAX_BODY, Namespace, ObjectState, RawResponse, Remote, Request, Socket, Upgrade,
    sleep,
};
pub(crate) use segment::{Aborted, HandlerKey, SegmentEnd};
