//! HTTP and WebSockets of the embedded host, and requests to the outside.
//!
//! - [`server`] accepts [`connection`]s, whose number [`admission`] and [`idle`] limit, and reads
//!   their [`requests`] and [`bodies`], which may be [`arriving`] while they are used.
//! - [`proxies`] decides which address is the client's.
//! - [`handshake`] turns a request into a socket, [`transport`] carries its [`frame`]s.
//! - [`answers`] and [`assets`] are sent, streaming ones as an [`answer_body`]; [`outgoing`] sends requests to the outside.
//! - [`budget`] and [`waiting`] bound what slow peers hold.

pub(super) mod admission;
mod answer_body;
pub(super) mod answers;
pub(super) mod arriving;
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
pub(super) mod proxies;
mod requests;
pub(super) mod server;
pub(super) mod transport;
pub(super) mod waiting;
