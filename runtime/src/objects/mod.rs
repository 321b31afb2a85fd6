//! Ready-made Durable Objects, each behind its own cargo feature.
//!
//! They use only this crate's public API, so your own objects can do everything that they do. Each
//! one keeps its decisions in a pure `core` (state and time in, decision out), which your own
//! objects may embed.

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
// The chat room counts its users' messages with the limiter's core.
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
