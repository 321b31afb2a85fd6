//! Ready-made Durable Objects, each behind a cargo feature of its own.
//!
//! They are ordinary users of this crate's public API: what they do, an object of yours can do.
//! Each keeps its decisions in a pure `core` (state and time in, decision out), which an object of
//! your own may embed.

#[cfg(feature = "chat-room")]
pub mod chat_room;
#[cfg(feature = "counter")]
pub mod counter;
#[cfg(feature = "lock")]
pub mod lock;
#[cfg(any(
    feature = "chat-room",
    feature = "lock",
    feature = "rate-limiter",
    feature = "scheduled-task"
))]
mod millis;
#[cfg(any(feature = "chat-room", feature = "lock", feature = "rate-limiter"))]
mod range;
// The chat room counts its users' messages by the limiter's core.
#[cfg(any(feature = "rate-limiter", feature = "chat-room"))]
pub mod rate_limiter;
#[cfg(feature = "scheduled-task")]
pub mod scheduled_task;
#[cfg(feature = "socket-hub")]
pub mod socket_hub;

#[cfg(feature = "chat-room")]
pub use chat_room::ChatRoom;
#[cfg(feature = "counter")]
pub use counter::Counter;
#[cfg(feature = "lock")]
pub use lock::Lock;
#[cfg(feature = "rate-limiter")]
pub use rate_limiter::RateLimiter;
#[cfg(feature = "scheduled-task")]
pub use scheduled_task::ScheduledTask;
#[cfg(feature = "socket-hub")]
pub use socket_hub::SocketHub;
