//! Publish and subscribe over sockets: a hub sends each event to the subscribers of its topic.
//!
//! ```
//! use anchorhold::objects::SocketHub;
//! use anchorhold::prelude::*;
//! use serde_json::json;
//!
//! #[anchorhold::app]
//! fn app() -> App {
//!     App::new().mount::<SocketHub>("/hubs/{name}")
//! }
//!
//! #[anchorhold::test]
//! async fn subscribers_get_what_is_published(sim: Sim) {
//!     let hub = sim.objects::<SocketHub>().named("news");
//!     let mut reader = sim.connect(&hub, "/ws?topics=weather").await.unwrap();
//!     let published = hub.publish("weather", json!({ "rain": true })).await.unwrap();
//!     assert_eq!(published.delivered, 1);
//!     let event: serde_json::Value = reader.receive_json().await;
//!     assert_eq!(event, json!({ "type": "event", "topic": "weather", "data": { "rain": true } }));
//! }
//! ```
//!
//! Your own object may use any of the layers: the pure [`core`] makes the decisions, [`Hub`]
//! carries them out on sockets, and [`SocketHub`] is the object around it.
//! `docs/objects/socket-hub.md` describes the costs, and how to extend and to shard it.

pub mod core;
mod hub;
mod protocol;

use anchorhold::prelude::*;
use serde_json::Value;

pub use self::core::{Limits, SlowConsumer};
pub use self::hub::{Hub, Published, Session, Status};
pub use self::protocol::Command;

/// A hub: sockets subscribe to topics, and receive the events that are published under them.
///
/// | route | |
/// | --- | --- |
/// | `GET /ws?topics=a,b` | a socket, subscribed to these topics (by default to none) |
/// | `GET /ws?topics=a&acks=true` | the same, with acknowledgements |
/// | `POST /publish` `{"topic": "a", "data": …}` | `200 {"delivered": 3}` |
/// | `GET /` | `200` [`Status`] |
///
/// A client sends [`Command`]s and the text `ping`, which is answered with `pong` without a wake.
/// It receives `{"type": "event", "topic": "a", "data": …}`. If a message is refused it receives
/// `{"type": "error", "code": …, "message": …}`, and the socket stays open.
///
/// # Slow consumers
/// A socket opened with `acks=true` receives its events with a number (`"seq": 1`, 2, 3, …). It
/// answers `{"type": "ack", "seq": n}`, which acknowledges all events up to number `n`, so not
/// every event needs its own acknowledgement. If another event would exceed 4,096 events or 4 MiB
/// unacknowledged, the socket is closed instead, with code 1013 and the rule as the reason. The
/// rule is the same on every host.
///
/// A socket without acknowledgements is closed in the same way if more than 8 MiB would wait for
/// its peer, or if sending fails. This requires a host that reports the backlog
/// ([`Socket::buffered`]): the embedded host does, workerd does not. On workerd slow clients
/// without acknowledgements are not detected: the platform's queue for such a client grows until
/// the connection breaks. If untrusted clients connect there, write your own object that
/// [accepts](Hub::accept) sockets with acknowledgements only.
///
/// # Delivery
/// At most once, in the order of publication. Nothing is stored: a disconnected client misses the
/// event, and the numbers of a new connection start at 1 again. A client that must not miss
/// anything needs a history, such as a chat room's.
#[durable_object]
pub struct SocketHub {
    #[memory]
    hub: Hub,
}

#[durable_object]
impl SocketHub {
    #[init]
    fn wake(&mut self, ctx: &Ctx) {
        self.hub = Hub::wake(ctx, Limits::default());
    }

    #[websocket("/ws")]
    fn connect(
        &mut self,
        ctx: &Ctx,
        topics: Option<String>,
        acks: Option<bool>,
    ) -> Result<Accept<Session>, Error> {
        let topics = topics.unwrap_or_default();
        self.hub.accept(ctx, &topics, acks.unwrap_or(false), ())
    }

    #[message(text)]
    fn message(&mut self, ctx: &Ctx, socket: &Socket<Session>, text: String) -> Result<(), Error> {
        self.hub.receive(ctx, socket, &text)
    }

    #[close]
    fn closed(&mut self, ctx: &Ctx, socket: &Socket<Session>, event: CloseEvent) {
        self.hub.closed(ctx, socket, &event);
    }

    #[error]
    fn failed(&mut self, ctx: &Ctx, socket: &Socket<Session>) {
        self.hub.failed(ctx, socket);
    }

    /// Sends an event to every subscriber of a topic. `data` is any JSON; the default is `null`.
    ///
    /// # Errors
    /// 400 `bad_request` for a topic that is empty or over 128 bytes, 413 `too_large` for an event
    /// over 64 KiB as JSON.
    #[rpc]
    #[post("/publish")]
    fn publish(&mut self, ctx: &Ctx, topic: &str, data: Value) -> Result<Published, Error> {
        self.hub.publish(ctx, topic, &data)
    }

    /// Returns the numbers of sockets, topics and dropped slow consumers.
    #[rpc]
    #[get("/")]
    fn status(&mut self, ctx: &Ctx) -> Status {
        self.hub.status(ctx)
    }
}
