//! Topics over sockets: who subscribes gets what others publish.
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
//!     let published = hub.publish("weather".to_owned(), json!({ "rain": true })).await.unwrap();
//!     assert_eq!(published.delivered, 1);
//!     let event: serde_json::Value = reader.receive_json().await;
//!     assert_eq!(event, json!({ "type": "event", "topic": "weather", "data": { "rain": true } }));
//! }
//! ```
//!
//! The layers, each of which an object of your own may take: the pure [`core`] decides, [`Hub`]
//! carries it out on sockets, [`SocketHub`] is the object around it. `docs/objects/socket-hub.md` says
//! what it costs, and how to extend and to shard it.

pub mod core;
mod hub;
mod protocol;

use anchorhold::prelude::*;
use serde_json::Value;

pub use self::core::{Limits, SlowConsumer};
pub use self::hub::{Hub, Published, Session, Status};
pub use self::protocol::Command;

/// A hub: sockets subscribe to topics, and get what is published under them.
///
/// | route | |
/// | --- | --- |
/// | `GET /ws?topics=a,b` | a socket, subscribed to these topics; none, if left out |
/// | `GET /ws?topics=a&acks=true` | the same, with acknowledgements |
/// | `POST /publish` `{"topic": "a", "data": …}` | `200 {"delivered": 3}` |
/// | `GET /` | `200` [`Status`] |
///
/// A client sends [`Command`]s and the text `ping`, which is answered `pong` without a wake. It gets
/// `{"type": "event", "topic": "a", "data": …}`, and for a message that is refused
/// `{"type": "error", "code": …, "message": …}`; the socket stays open.
///
/// # Slow consumers
/// A socket opened with `acks=true` gets its events with a number (`"seq": 1`, 2, 3, …) and answers
/// `{"type": "ack", "seq": n}`, which acknowledges all up to number `n`; not every event needs one of
/// its own. When another event would make more than 4,096 events or 4 MiB unacknowledged, the socket
/// is closed instead, with code 1013 and the rule as the reason. The rule is the same on every host.
///
/// A socket without acknowledgements is closed likewise when more than 8 MiB wait for its peer, where
/// the host tells ([`Socket::buffered`]: the embedded host does, workerd does not), or when sending
/// fails. On workerd nothing tells that such a client reads too slowly: the platform's queue
/// for it grows until the connection breaks. Refuse such clients there by an object of your own
/// that [accepts](Hub::accept) with acknowledgements only, if strangers connect.
///
/// # Delivery
/// At most once, in the order of publication. Nothing is stored: who is not connected misses it, and
/// the numbers of a new connection begin at 1 again. A client that must not miss anything wants a
/// history, as a chat room has it.
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

    /// Sends an event to every subscriber of a topic. `data` is any JSON, `null` when left out.
    ///
    /// # Errors
    /// 400 `bad_request` for a topic that is empty or over 128 bytes, 413 `too_large` for an event
    /// over 64 KiB as JSON.
    #[rpc]
    #[post("/publish")]
    fn publish(&mut self, ctx: &Ctx, topic: String, data: Value) -> Result<Published, Error> {
        self.hub.publish(ctx, &topic, &data)
    }

    /// How many sockets and topics there are, and how many slow consumers were dropped.
    #[rpc]
    #[get("/")]
    fn status(&mut self, ctx: &Ctx) -> Status {
        self.hub.status(ctx)
    }
}
