//! HTTP and WebSockets of the embedded host: connections, requests, frames, and requests to the outside.

pub(super) mod admission;
pub(super) mod answers;
pub(super) mod assets;
mod bodies;
pub(super) mod budget;
pub(super) mod closing;
mod connection;
pub(super) mod frame;
mod frames;
mod handshake;
mod idle;
pub(super) mod outgoing;
mod peer;
mod requests;
pub(super) mod server;
pub(super) mod transport;
pub(super) mod waiting;
