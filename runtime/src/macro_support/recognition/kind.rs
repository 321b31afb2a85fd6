//! Kinds of types that events or routes treat specially.

/// Any type that serde can read and write.
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
