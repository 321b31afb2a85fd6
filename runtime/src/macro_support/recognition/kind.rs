//! Kinds of types that an event or a route treats apart.

/// Whatever serde reads and writes.
pub const VALUE: u8 = 0;
pub const REQUEST: u8 = 1;
pub const RESPONSE: u8 = 2;
pub const ACCEPT: u8 = 3;
pub const CONTEXT: u8 = 4;
pub const ENV: u8 = 5;
pub const SOCKET: u8 = 6;
pub const ALARM_RUN: u8 = 7;
/// [`CloseEvent`](crate::CloseEvent) and [`SocketError`](crate::SocketError).
pub const SOCKET_EVENT: u8 = 8;
