//! The socket hub in the simulator: topics, refusals, evictions, slow consumers.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use anchorhold::objects::SocketHub;
use anchorhold::objects::socket_hub::SocketHubStub;
use anchorhold::prelude::*;
use anchorhold::{Message, SimSocket};
use serde_json::{Value, json};

fn event(topic: &str, data: &Value) -> Value {
    json!({ "type": "event", "topic": topic, "data": data })
}

fn numbered(topic: &str, data: &Value, seq: u64) -> Value {
    json!({ "type": "event", "topic": topic, "data": data, "seq": seq })
}

async fn publish(hub: &SocketHubStub, topic: &str, data: Value) -> usize {
    let published = hub.publish(topic, data).await.unwrap();
    published.delivered
}

/// Waits until the hub has done all that the socket has sent: it answers what it does not know.
async fn come_to_rest(socket: &mut SimSocket) {
    socket.send_text("?");
    assert_eq!(refusal(socket).await.0, "bad_request");
}

async fn refusal(socket: &mut SimSocket) -> (String, String) {
    let answer: Value = socket.receive_json().await;
    assert_eq!(answer["type"], "error", "{answer}");
    let text = |name: &str| answer[name].as_str().unwrap().to_owned();
    (text("code"), text("message"))
}

#[anchorhold::test]
async fn an_event_goes_to_the_topics_other_subscribers(sim: Sim) {
    let hub = sim.objects::<SocketHub>().named("a");
    let mut both = sim.connect(&hub, "/ws?topics=x,y").await.unwrap();
    let mut only_x = sim.connect(&hub, "/ws?topics=x").await.unwrap();
    let mut none = sim.connect(&hub, "/ws").await.unwrap();

    assert_eq!(publish(&hub, "x", json!(1)).await, 2);
    assert_eq!(publish(&hub, "y", json!({ "b": [2], "a": null })).await, 1);
    assert_eq!(publish(&hub, "z", json!(3)).await, 0);
    assert_eq!(both.receive_json::<Value>().await, event("x", &json!(1)));
    assert_eq!(
        both.receive_json::<Value>().await,
        event("y", &json!({ "b": [2], "a": null }))
    );
    assert_eq!(only_x.receive_json::<Value>().await, event("x", &json!(1)));

    both.send_json(&json!({ "type": "publish", "topic": "x", "data": "from both" }));
    none.send_json(&json!({ "type": "publish", "topic": "x", "data": "from none" }));
    assert_eq!(
        both.receive_json::<Value>().await,
        event("x", &json!("from none"))
    );
    come_to_rest(&mut both).await;
    come_to_rest(&mut none).await;
    let mut seen = [
        only_x.receive_json::<Value>().await,
        only_x.receive_json().await,
    ];
    seen.sort_by_key(|event| event["data"].to_string());
    assert_eq!(
        seen,
        [
            event("x", &json!("from both")),
            event("x", &json!("from none"))
        ]
    );
}

#[anchorhold::test]
async fn subscriptions_change_over_the_socket_and_outlive_the_memory(sim: Sim) {
    let hub = sim.objects::<SocketHub>().named("a");
    let mut socket = sim.connect(&hub, "/ws?topics=x").await.unwrap();
    for topic in ["y", "z, with a comma", "y"] {
        socket.send_json(&json!({ "type": "subscribe", "topic": topic }));
    }
    socket.send_json(&json!({ "type": "unsubscribe", "topic": "x" }));
    socket.send_json(&json!({ "type": "unsubscribe", "topic": "never had" }));
    come_to_rest(&mut socket).await;
    for round in 0..3 {
        assert_eq!(hub.status().await.unwrap().topics, 2, "round {round}");
        assert_eq!(publish(&hub, "x", json!(round)).await, 0);
        assert_eq!(publish(&hub, "y", json!(round)).await, 1);
        assert_eq!(publish(&hub, "z, with a comma", json!(round)).await, 1);
        for topic in ["y", "z, with a comma"] {
            assert_eq!(
                socket.receive_json::<Value>().await,
                event(topic, &json!(round))
            );
        }
        sim.evict(&hub).await;
    }
    socket.close(1_000, "");
    sim.advance(Duration::from_secs(1)).await;
    let status = hub.status().await.unwrap();
    assert_eq!((status.sockets, status.topics), (0, 0));
}

#[anchorhold::test]
async fn a_ping_is_answered_without_a_wake(sim: Sim) {
    let hub = sim.objects::<SocketHub>().named("a");
    let mut socket = sim.connect(&hub, "/ws?topics=x").await.unwrap();
    let before = hub.status().await.unwrap().awake_since;
    sim.evict(&hub).await;
    sim.advance(Duration::from_secs(3)).await;
    socket.send_text("ping");
    assert_eq!(socket.receive().await, Some(Message::Text("pong".into())));
    sim.advance(Duration::from_secs(2)).await;
    let after = hub.status().await.unwrap().awake_since;
    assert_eq!(
        after.as_millis() - before.as_millis(),
        5_000,
        "the question woke it, and not the ping"
    );
}

#[anchorhold::test]
async fn what_does_not_fit_is_answered_and_the_socket_stays_open(sim: Sim) {
    let hub = sim.objects::<SocketHub>().named("a");
    let mut socket = sim.connect(&hub, "/ws?topics=x").await.unwrap();
    let long = "t".repeat(129);
    for (text, code, reason) in [
        ("no JSON".to_owned(), "bad_request", "invalid message"),
        (
            json!({ "type": "shout" }).to_string(),
            "bad_request",
            "`shout`",
        ),
        (
            json!({ "type": "subscribe", "topic": "x", "loudly": 1 }).to_string(),
            "bad_request",
            "`loudly`",
        ),
        (
            json!({ "type": "subscribe", "topic": "" }).to_string(),
            "bad_request",
            "`topic` has 0 bytes",
        ),
        (
            json!({ "type": "publish", "topic": long, "data": 1 }).to_string(),
            "bad_request",
            "`topic` has 129 bytes; must have 1 to 128",
        ),
        (
            json!({ "type": "ack", "seq": 1 }).to_string(),
            "bad_request",
            "`acks=true`",
        ),
        ("x".repeat(65_537), "too_large", "65537 bytes"),
    ] {
        socket.send_text(text.clone());
        let (told_code, told_reason) = refusal(&mut socket).await;
        assert_eq!(told_code, code, "{text:.80}");
        assert!(told_reason.contains(reason), "{text:.80}: {told_reason}");
    }
    socket.send_binary([1, 2, 3]);
    assert_eq!(refusal(&mut socket).await.0, "bad_request");

    assert_eq!(publish(&hub, "x", json!(1)).await, 1);
    assert_eq!(socket.receive_json::<Value>().await, event("x", &json!(1)));

    for path in [
        "/ws?topics=x,,y",
        "/ws?topics=,",
        &format!("/ws?topics={long}"),
    ] {
        let error = sim.connect(&hub, path).await.err().unwrap();
        assert_eq!(error.status(), 400, "{path}: {error}");
    }
    for path in ["/ws?acks=maybe", "/ws?topic=x"] {
        assert_eq!(sim.connect(&hub, path).await.err().unwrap().status(), 400);
    }
    for topic in ["", long.as_str()] {
        let error = hub.publish(topic, json!(1)).await.unwrap_err();
        assert!(error.to_string().contains("`topic`"), "{error}");
    }
    let error = hub
        .publish("x", json!("d".repeat(65_536)))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("the limit is 65536"), "{error}");
    assert_eq!(hub.status().await.unwrap().sockets, 1);
}

/// The largest session that the limits allow is one that the platform keeps.
#[anchorhold::test]
async fn the_limits_of_a_socket_fit_its_session(sim: Sim) {
    let hub = sim.objects::<SocketHub>().named("a");
    let mut socket = sim.connect(&hub, "/ws?acks=true").await.unwrap();
    let topic = |number: usize| format!("{number:0>128}");
    for number in 0..64 {
        socket.send_json(&json!({ "type": "subscribe", "topic": topic(number) }));
    }
    socket.send_json(&json!({ "type": "subscribe", "topic": topic(63) }));
    socket.send_json(&json!({ "type": "subscribe", "topic": topic(64) }));
    assert_eq!(refusal(&mut socket).await.0, "too_many_topics");
    assert_eq!(hub.status().await.unwrap().topics, 64);
    assert_eq!(publish(&hub, &topic(63), json!(null)).await, 1);
    socket.send_json(&json!({ "type": "unsubscribe", "topic": topic(0) }));
    socket.send_json(&json!({ "type": "subscribe", "topic": topic(64) }));
    assert_eq!(
        socket.receive_json::<Value>().await,
        numbered(&topic(63), &json!(null), 1)
    );
    come_to_rest(&mut socket).await;
    assert_eq!(publish(&hub, &topic(0), json!(null)).await, 0);
    assert_eq!(publish(&hub, &topic(64), json!(null)).await, 1);
}

#[anchorhold::test]
async fn a_client_that_acknowledges_is_numbered_and_stays(sim: Sim) {
    let hub = sim.objects::<SocketHub>().named("a");
    let mut acknowledging = sim.connect(&hub, "/ws?topics=x&acks=true").await.unwrap();
    let mut plain = sim.connect(&hub, "/ws?topics=x").await.unwrap();
    // Three times what may be unacknowledged, in bytes.
    let data = json!("d".repeat(60_000));
    for seq in 1..=210 {
        assert_eq!(publish(&hub, "x", data.clone()).await, 2);
        let got: Value = acknowledging.receive_json().await;
        assert_eq!(got, numbered("x", &data, seq));
        assert_eq!(plain.receive_json::<Value>().await, event("x", &data));
        // Every tenth is enough: it stands for those before it. The same again does no harm.
        if seq % 10 == 0 {
            acknowledging.send_json(&json!({ "type": "ack", "seq": seq }));
            acknowledging.send_json(&json!({ "type": "ack", "seq": seq - 5 }));
            come_to_rest(&mut acknowledging).await;
        }
        if seq % 45 == 0 {
            sim.evict(&hub).await;
        }
    }
    acknowledging.send_json(&json!({ "type": "ack", "seq": 211 }));
    let (code, message) = refusal(&mut acknowledging).await;
    assert_eq!(code, "bad_request");
    assert_eq!(message, "`seq` is 211, and the last event sent is 210");
}

async fn expect_dropped(mut socket: SimSocket, events: u64, reason: &str) {
    for seq in 1..=events {
        let got: Value = socket.receive_json().await;
        assert_eq!(got["seq"], seq);
    }
    assert_eq!(socket.receive().await, None);
    let closed = socket.closed().unwrap();
    assert_eq!((closed.code, closed.reason.as_str()), (1_013, reason));
}

#[anchorhold::test]
async fn a_client_that_owes_too_many_bytes_is_dropped_and_the_others_stay(sim: Sim) {
    let hub = sim.objects::<SocketHub>().named("a");
    let slow = sim.connect(&hub, "/ws?topics=x,y&acks=true").await.unwrap();
    let mut plain = sim.connect(&hub, "/ws?topics=x").await.unwrap();
    let data = json!("d".repeat(60_000));
    // 69 events of 60,037 bytes are less than 4 MiB, 70 are more. An eviction forgets nothing.
    for count in 1..=80 {
        let delivered = publish(&hub, "x", data.clone()).await;
        assert_eq!(delivered, if count <= 69 { 2 } else { 1 }, "event {count}");
        assert_eq!(plain.receive_json::<Value>().await, event("x", &data));
        if count % 30 == 0 {
            sim.evict(&hub).await;
        }
    }
    let status = hub.status().await.unwrap();
    assert_eq!((status.sockets, status.topics), (1, 1));
    let reason = "slow consumer: more than 4194304 unacknowledged bytes";
    expect_dropped(slow, 69, reason).await;
}

#[anchorhold::test]
async fn a_client_that_owes_too_many_events_is_dropped(sim: Sim) {
    let hub = sim.objects::<SocketHub>().named("a");
    let slow = sim.connect(&hub, "/ws?topics=x&acks=true").await.unwrap();
    for _ in 0..4_096 {
        assert_eq!(publish(&hub, "x", json!(0)).await, 1);
    }
    assert_eq!(hub.status().await.unwrap().dropped, 0);
    assert_eq!(publish(&hub, "x", json!(0)).await, 0);
    let status = hub.status().await.unwrap();
    assert_eq!((status.sockets, status.topics, status.dropped), (0, 0, 1));
    let reason = "slow consumer: more than 4096 unacknowledged events";
    expect_dropped(slow, 4_096, reason).await;
}

/// A client that never acknowledges, because it never said that it would.
#[anchorhold::test]
async fn a_plain_client_that_reads_is_never_dropped(sim: Sim) {
    let hub = sim.objects::<SocketHub>().named("a");
    let mut plain = sim.connect(&hub, "/ws?topics=x").await.unwrap();
    let data = json!("d".repeat(60_000));
    // 18 MB: twice what may wait unread.
    for _ in 0..300 {
        assert_eq!(publish(&hub, "x", data.clone()).await, 1);
    }
    for _ in 0..5_000 {
        assert_eq!(publish(&hub, "x", json!(0)).await, 1);
    }
    for _ in 0..5_300 {
        assert_eq!(plain.receive_json::<Value>().await["type"], "event");
    }
}

#[anchorhold::test]
async fn a_client_that_vanished_is_forgotten(sim: Sim) {
    let hub = sim.objects::<SocketHub>().named("a");
    let socket = sim.connect(&hub, "/ws?topics=x").await.unwrap();
    assert_eq!(publish(&hub, "x", json!(1)).await, 1);
    drop(socket);
    sim.advance(Duration::from_secs(1)).await;
    assert_eq!(publish(&hub, "x", json!(2)).await, 0);
    let status = hub.status().await.unwrap();
    assert_eq!((status.sockets, status.topics), (0, 0));
}

/// P62: the sockets go with a crash, and the clients bring their topics along when they come back.
#[anchorhold::test]
async fn after_a_crash_clients_connect_again(sim: Sim) {
    let hub = sim.objects::<SocketHub>().named("a");
    let mut socket = sim.connect(&hub, "/ws?topics=x").await.unwrap();
    assert_eq!(publish(&hub, "x", json!(1)).await, 1);
    sim.crash().await;
    assert_eq!(socket.receive_json::<Value>().await, event("x", &json!(1)));
    assert_eq!(socket.receive().await, None);
    assert_eq!(publish(&hub, "x", json!(2)).await, 0);
    let mut socket = sim.connect(&hub, "/ws?topics=x").await.unwrap();
    assert_eq!(publish(&hub, "x", json!(3)).await, 1);
    assert_eq!(socket.receive_json::<Value>().await, event("x", &json!(3)));
}

#[durable_object]
struct Chatterbox {}

#[durable_object]
impl Chatterbox {
    #[websocket("/ws")]
    fn connect(&self) -> Accept<()> {
        Accept::new(())
    }

    /// What waits for the peer before, between and after two messages.
    #[rpc]
    fn send(&self, ctx: &Ctx) -> Result<Vec<Option<usize>>, Error> {
        let Some(socket) = ctx.sockets::<()>().all().pop() else {
            return Err(Error::not_found("no socket"));
        };
        let mut waiting = vec![socket.buffered()];
        socket.send_text("12345")?;
        waiting.push(socket.buffered());
        socket.send_bytes(&[0; 10])?;
        waiting.push(socket.buffered());
        Ok(waiting)
    }
}

#[anchorhold::test]
async fn a_socket_reports_how_many_bytes_wait_for_its_peer(sim: Sim) {
    let object = sim.objects::<Chatterbox>().named("a");
    let mut socket = sim.connect(&object, "/ws").await.unwrap();
    for _ in 0..2 {
        let waiting = object.send().await.unwrap();
        assert_eq!(waiting, [Some(0), Some(5), Some(15)]);
        assert_eq!(socket.receive().await, Some(Message::Text("12345".into())));
        assert_eq!(socket.receive().await, Some(Message::Binary(vec![0; 10])));
    }
}

/// A client, and what the hub owes it.
struct Reader {
    socket: SimSocket,
    acknowledges: bool,
    topics: BTreeSet<&'static str>,
    expected: VecDeque<Value>,
    sent: u64,
}

impl Reader {
    async fn connect(sim: &Sim, hub: &SocketHubStub, acknowledges: bool) -> Self {
        let path = format!("/ws?topics=a&acks={acknowledges}");
        Self {
            socket: sim.connect(hub, &path).await.unwrap(),
            acknowledges,
            topics: BTreeSet::from(["a"]),
            expected: VecDeque::new(),
            sent: 0,
        }
    }

    fn owe(&mut self, topic: &str, data: &Value) -> bool {
        let subscribed = self.topics.contains(topic);
        if subscribed {
            self.sent += 1;
            self.expected.push_back(if self.acknowledges {
                numbered(topic, data, self.sent)
            } else {
                event(topic, data)
            });
        }
        subscribed
    }

    /// Has the hub do what was said, and reads what it owes: exactly that, in this order.
    async fn come_to_rest(&mut self) {
        self.socket.send_text("?");
        loop {
            let got: Value = self.socket.receive_json().await;
            if got["type"] == "error" {
                assert_eq!(got["code"], "bad_request", "{got}");
                break;
            }
            assert_eq!(Some(got), self.expected.pop_front());
        }
        assert!(self.expected.is_empty(), "{:?} did not come", self.expected);
    }
}

/// Whatever clients and the host do, every subscriber gets every event of its topics, once and in
/// order.
#[anchorhold::test]
async fn a_random_history_brings_every_event_to_its_subscribers_once(sim: Sim) {
    const TOPICS: [&str; 3] = ["a", "b", "c"];
    let mut state = sim.seed();
    let mut random = |below: usize| {
        // Knuth's constants for a linear congruential generator; the high bits are the good ones.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    let hub = sim.objects::<SocketHub>().named("a");
    let mut readers: Vec<Reader> = Vec::new();
    for step in 0..600 {
        let topic = TOPICS[random(TOPICS.len())];
        let data = json!({ "step": step });
        let chosen = random(8);
        match (random(20), readers.len()) {
            (0 | 1, 0..8) => readers.push(Reader::connect(&sim, &hub, step % 2 == 0).await),
            (2, _) => sim.evict(&hub).await,
            (3, 5..) => {
                let mut reader = readers.swap_remove(chosen % readers.len());
                reader.come_to_rest().await;
                if step % 2 == 0 {
                    reader.socket.close(1_000, "");
                }
                sim.advance(Duration::from_millis(10)).await;
            }
            (4..8, _) => {
                let owed = readers
                    .iter_mut()
                    .filter_map(|reader| reader.owe(topic, &data).then_some(()));
                let owed = owed.count();
                assert_eq!(publish(&hub, topic, data).await, owed, "step {step}");
            }
            (action, 1..) => {
                let chosen = chosen % readers.len();
                let reader = &mut readers[chosen];
                let command = match action {
                    8..11 => {
                        reader.topics.insert(topic);
                        json!({ "type": "subscribe", "topic": topic })
                    }
                    11..13 => {
                        reader.topics.remove(topic);
                        json!({ "type": "unsubscribe", "topic": topic })
                    }
                    13..15 if reader.acknowledges => json!({ "type": "ack", "seq": reader.sent }),
                    _ => {
                        for (other, reader) in readers.iter_mut().enumerate() {
                            if other != chosen {
                                reader.owe(topic, &data);
                            }
                        }
                        json!({ "type": "publish", "topic": topic, "data": data })
                    }
                };
                readers[chosen].socket.send_json(&command);
                readers[chosen].come_to_rest().await;
            }
            _ => {}
        }
    }
    for reader in &mut readers {
        reader.come_to_rest().await;
    }
    let status = hub.status().await.unwrap();
    let topics: BTreeSet<_> = readers.iter().flat_map(|reader| &reader.topics).collect();
    assert_eq!(
        (status.sockets, status.topics),
        (readers.len(), topics.len())
    );
}
