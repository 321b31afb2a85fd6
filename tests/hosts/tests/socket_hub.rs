//! The socket hub on both hosts: topics, refusals, hibernation, slow consumers.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use host_tests::{Answer, Caller, Client, Connection, Host, Kind, Received, demo, eventually};
use serde_json::{Value, json};

/// How long to wait before concluding that nothing arrives.
const SILENCE: Duration = Duration::from_millis(800);
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs the same test on both hosts, at the same time.
fn on_both(test: impl Fn(&Host, &Client) + Sync) {
    let application = demo(env!("CARGO_BIN_EXE_embedded-demo"));
    std::thread::scope(|scope| {
        for kind in Kind::BOTH {
            let (application, test) = (&application, &test);
            scope.spawn(move || {
                let host = Host::start(kind, application);
                test(&host, &host.client().at("/hubs/h"));
            });
        }
    });
}

fn publish(hub: &Client, topic: &str, data: &Value) -> usize {
    let answer: Value = hub
        .post("/publish", json!({ "topic": topic, "data": data }))
        .expect_status(200)
        .json();
    let delivered = answer["delivered"].as_u64().expect("a count");
    assert_eq!(answer, json!({ "delivered": delivered }), "and no more");
    usize::try_from(delivered).expect("a small count")
}

fn event(topic: &str, data: &Value) -> Value {
    json!({ "type": "event", "topic": topic, "data": data })
}

/// Sends a message that is refused, and returns the code and the message of the refusal.
#[track_caller]
fn refused(socket: &mut Connection, text: &str) -> (String, String) {
    socket.send_text(text);
    let answer: Value = socket.receive_json();
    assert_eq!(answer["type"], "error", "{answer}");
    let field = |name: &str| answer[name].as_str().expect("text").to_owned();
    (field("code"), field("message"))
}

/// Waits until the hub has processed everything that the socket has sent.
#[track_caller]
fn come_to_rest(socket: &mut Connection) {
    assert_eq!(refused(socket, "?").0, "bad_request");
}

#[test]
fn events_go_to_the_topics_other_subscribers() {
    on_both(|_, hub| {
        let mut both = hub.connect("/ws?topics=a,b");
        let mut only_a = hub.connect("/ws?topics=a");
        let mut later = hub.connect("/ws");
        assert_eq!(publish(hub, "a", &json!(1)), 2);
        assert_eq!(publish(hub, "b", &json!({ "x": [null, "ü", 1.5] })), 1);
        assert_eq!(publish(hub, "c", &Value::Null), 0);
        assert_eq!(both.receive_json::<Value>(), event("a", &json!(1)));
        let second = event("b", &json!({ "x": [null, "ü", 1.5] }));
        assert_eq!(both.receive_json::<Value>(), second);
        assert_eq!(only_a.receive_json::<Value>(), event("a", &json!(1)));

        later.send(&json!({ "type": "subscribe", "topic": "c" }));
        later.send(&json!({ "type": "subscribe", "topic": "a" }));
        later.send(&json!({ "type": "unsubscribe", "topic": "a" }));
        come_to_rest(&mut later);
        assert_eq!(publish(hub, "c", &json!("for later")), 1);
        assert_eq!(
            later.receive_json::<Value>(),
            event("c", &json!("for later"))
        );

        // Over the socket: neither to the publisher nor to clients that unsubscribed.
        both.send(&json!({ "type": "publish", "topic": "a", "data": ["from both"] }));
        assert_eq!(
            only_a.receive_json::<Value>(),
            event("a", &json!(["from both"]))
        );
        later.send(&json!({ "type": "publish", "topic": "b", "data": 2 }));
        assert_eq!(both.receive_json::<Value>(), event("b", &json!(2)));
        for socket in [&mut both, &mut only_a, &mut later] {
            come_to_rest(socket);
        }

        only_a.close(1_000, "done");
        let closed = Received::Close {
            code: 1_000,
            reason: "done".to_owned(),
        };
        assert_eq!(only_a.receive(), closed, "the hub answers a Close");
        both.vanish();
        let gone = eventually(PATIENCE, || {
            (publish(hub, "a", &json!(3)) == 0).then_some(())
        });
        gone.expect("sockets that are gone are forgotten");
        let status: Value = hub.get("").json();
        assert_eq!(
            (&status["sockets"], &status["topics"]),
            (&json!(1), &json!(1))
        );
        assert_eq!(later.receive_within(SILENCE), None);
    });
}

#[test]
fn what_does_not_fit_is_refused_alike() {
    on_both(|_, hub| {
        let mut socket = hub.connect("/ws?topics=a");
        for (text, code, message) in [
            ("no JSON", "bad_request", "invalid message"),
            ("{}", "bad_request", "`type`"),
            (
                r#"{"type": "shout", "topic": "a"}"#,
                "bad_request",
                "`shout`",
            ),
            (
                r#"{"type": "publish", "data": 1}"#,
                "bad_request",
                "`topic`",
            ),
            (
                r#"{"type": "subscribe", "topic": "a", "more": 1}"#,
                "bad_request",
                "`more`",
            ),
            (
                r#"{"type": "subscribe", "topic": ""}"#,
                "bad_request",
                "`topic`",
            ),
            (r#"{"type": "ack", "seq": 1}"#, "bad_request", "`acks=true`"),
            (&"x".repeat(65_537), "too_large", "65536"),
        ] {
            let told = refused(&mut socket, text);
            assert_eq!(told.0, code, "{text:.80}: {}", told.1);
            assert!(told.1.contains(message), "{text:.80}: {}", told.1);
        }
        for number in 1..64 {
            socket.send(&json!({ "type": "subscribe", "topic": format!("t{number}") }));
        }
        let one_more = json!({ "type": "subscribe", "topic": "t64" }).to_string();
        assert_eq!(refused(&mut socket, &one_more).0, "too_many_topics");
        assert_eq!(publish(hub, "t63", &json!(1)), 1);
        assert_eq!(socket.receive_json::<Value>(), event("t63", &json!(1)));

        let long = "t".repeat(129);
        for path in [
            "/ws?topics=a,,b",
            &format!("/ws?topics={long}"),
            "/ws?acks=1",
        ] {
            let refusal = hub.open(path, &[]).err().expect("refused");
            assert_eq!(refusal.status, 400, "{path}: {refusal:?}");
        }
        let with = |body: Value| hub.post("/publish", body);
        let failed = |answer: Answer, status, message: &str| {
            let told = answer.error_message().unwrap_or_default();
            assert!(told.contains(message), "{told}");
            answer.expect_status(status);
        };
        failed(with(json!({ "data": 1 })), 400, "`topic`");
        failed(with(json!({ "topic": long, "data": 1 })), 400, "`topic`");
        failed(with(json!({ "topic": 5, "data": 1 })), 400, "`topic`");
        failed(with(json!({ "topic": "a", "dat": 1 })), 400, "`dat`");
        failed(
            with(json!({ "topic": "a", "data": long.repeat(600) })),
            413,
            "65536",
        );
        assert_eq!(hub.get("/publish").status, 405);
        assert_eq!(hub.get("/ws").status, 426);
    });
}

#[test]
fn topics_outlive_the_objects_memory() {
    on_both(|host, hub| {
        let mut socket = hub.connect("/ws?topics=a,b&acks=true");
        socket.send(&json!({ "type": "subscribe", "topic": "c" }));
        socket.send(&json!({ "type": "unsubscribe", "topic": "a" }));
        assert_eq!(publish(hub, "b", &json!(1)), 1);
        assert_eq!(socket.receive_json::<Value>()["seq"], 1);
        come_to_rest(&mut socket);
        // When dropped, it neither reads on nor answers the Close. A wake may not bring it back.
        // (It is owed little: on workerd an object stays in memory while a socket's output waits.)
        let _dropped = hub.connect("/ws?topics=d&acks=true");
        let mut publisher = hub.connect("/ws");
        for _ in 0..=4_096 {
            publisher.send(&json!({ "type": "publish", "topic": "d" }));
        }
        come_to_rest(&mut publisher);
        publisher.close(1_000, "");
        assert_eq!(hub.get("").json::<Value>()["dropped"], 1);
        let awake_since = |hub: &Client| hub.get("").json::<Value>()["awake_since"].as_i64();
        let before = awake_since(hub).expect("a time");
        // After about 10 s of silence the platform evicts the object. A ping in between is
        // answered, and does not keep the object in memory.
        let woken = (0..4).find_map(|_| {
            std::thread::sleep(Duration::from_secs(6));
            socket.send_text("ping");
            assert_eq!(socket.receive(), Received::Text("pong".to_owned()));
            std::thread::sleep(Duration::from_secs(6));
            awake_since(hub).filter(|now| *now >= before + 12_000)
        });
        assert!(woken.is_some(), "{}: it stays in memory", host.kind());
        let status: Value = hub.get("").json();
        assert_eq!(
            (&status["sockets"], &status["topics"]),
            (&json!(1), &json!(2))
        );
        assert_eq!(publish(hub, "a", &json!(2)), 0);
        assert_eq!(publish(hub, "b", &json!(2)), 1);
        assert_eq!(publish(hub, "c", &json!(3)), 1);
        for (topic, data, seq) in [("b", 2, 2), ("c", 3, 3)] {
            let mut expected = event(topic, &json!(data));
            expected["seq"] = json!(seq);
            assert_eq!(socket.receive_json::<Value>(), expected, "{}", host.kind());
        }
        socket.send(&json!({ "type": "ack", "seq": 3 }));
        come_to_rest(&mut socket);
    });
}

/// Publishes 60,000 bytes at a time, and never gets far ahead of the readers.
struct Stream<'a> {
    hub: &'a Client,
    readers: Vec<AtomicUsize>,
}

impl<'a> Stream<'a> {
    const BYTES: usize = 60_000;
    const AHEAD: usize = 4;

    fn new(hub: &'a Client, readers: usize) -> Self {
        Self {
            hub,
            readers: (0..readers).map(|_| AtomicUsize::new(0)).collect(),
        }
    }

    fn data(number: usize) -> Value {
        json!(format!("{number} {}", "d".repeat(Self::BYTES)))
    }

    /// Publishes an event. Returns to how many it was delivered.
    fn publish(&self, number: usize) -> usize {
        let slowest = || {
            self.readers
                .iter()
                .map(|read| read.load(Ordering::SeqCst))
                .min()
        };
        let caught_up = || (slowest() >= Some(number.saturating_sub(Self::AHEAD))).then_some(());
        eventually(PATIENCE, caught_up).expect("those who read get every event");
        publish(self.hub, "a", &Self::data(number))
    }

    /// Reads every event, in order, and acknowledges those with a number.
    fn read(&self, reader: usize, mut socket: Connection, count: usize) {
        for number in 0..count {
            let got: Value = socket.receive_json();
            assert_eq!(got["data"], Self::data(number), "event {number}");
            if let Some(seq) = got.get("seq") {
                socket.send(&json!({ "type": "ack", "seq": seq }));
            }
            self.readers[reader].store(number + 1, Ordering::SeqCst);
        }
    }
}

/// Reads what arrives before the Close, and the Close.
fn drained(mut socket: Connection) -> (usize, Received) {
    let mut events = 0;
    loop {
        match socket.receive() {
            Received::Text(_) => events += 1,
            end => return (events, end),
        }
    }
}

const MEBIBYTE: u64 = 1024 * 1024;

/// The rule that applies on both hosts.
#[test]
fn who_does_not_acknowledge_is_dropped_and_the_others_get_everything() {
    const EVENTS: usize = 700;
    const SLOW: usize = 6;
    on_both(|host, hub| {
        let slow: Vec<_> = (0..SLOW)
            .map(|_| hub.connect("/ws?topics=a&acks=true"))
            .collect();
        let stream = Stream::new(hub, 2);
        let before = host.resident_memory();
        std::thread::scope(|scope| {
            for (reader, path) in ["/ws?topics=a", "/ws?topics=a&acks=true"]
                .iter()
                .enumerate()
            {
                let socket = hub.connect(path);
                let stream = &stream;
                scope.spawn(move || stream.read(reader, socket, EVENTS));
            }
            for number in 0..EVENTS {
                let delivered = stream.publish(number);
                // 4 MiB hold 69 of these events.
                let expected = if number < 69 { SLOW + 2 } else { 2 };
                assert_eq!(delivered, expected, "{}: event {number}", host.kind());
            }
        });
        let status: Value = hub.get("").json();
        assert_eq!(status["dropped"], SLOW, "{status}");
        if let (Some(before), Some(after)) = (before, host.resident_memory()) {
            let grown = after.saturating_sub(before) / MEBIBYTE;
            println!("{}: {grown} MiB more than before", host.kind());
            // Without the rule more than 30 MB would wait for each of the six.
            assert!(grown < 100, "{}: {grown} MiB more than before", host.kind());
        }
        for socket in slow {
            let closed = Received::Close {
                code: 1_013,
                reason: "slow consumer: more than 4194304 unacknowledged bytes".to_owned(),
            };
            assert_eq!(drained(socket), (69, closed), "{}", host.kind());
        }
    });
}

/// The rule for clients without acknowledgements, if the host reports what waits for them.
#[test]
fn who_does_not_read_is_dropped_on_the_embedded_host() {
    const EVENTS: usize = 600;
    const SLOW: usize = 6;
    let host = Host::start(Kind::Embedded, &demo(env!("CARGO_BIN_EXE_embedded-demo")));
    let hub = host.client().at("/hubs/h");
    let mut slow: Vec<_> = (0..SLOW).map(|_| hub.connect("/ws?topics=a")).collect();
    let stream = Stream::new(&hub, 1);
    let before = host.resident_memory();
    let mut most = 0;
    std::thread::scope(|scope| {
        let reader = hub.connect("/ws?topics=a");
        let stream = &stream;
        scope.spawn(move || stream.read(0, reader, EVENTS));
        let mut all_there = SLOW + 1;
        for number in 0..EVENTS {
            let delivered = stream.publish(number);
            assert!(delivered <= all_there, "nobody comes back");
            all_there = delivered;
            if delivered == 1
                && let Some(socket) = slow.pop()
            {
                // What the host had accepted for it arrives, and then the reason.
                let (events, end) = drained(socket);
                let closed = Received::Close {
                    code: 1_013,
                    reason: "slow consumer: more than 8388608 unread bytes".to_owned(),
                };
                assert_eq!(end, closed, "after {events} events");
                assert!(
                    (8_388_608 / Stream::BYTES..=number).contains(&events),
                    "{events}"
                );
                slow.clear();
            }
            most = most.max(host.resident_memory().unwrap_or_default());
        }
        assert_eq!(all_there, 1, "all slow ones are dropped");
    });
    if let Some(before) = before {
        let grown = most.saturating_sub(before) / MEBIBYTE;
        println!("{grown} MiB more than before");
        // 8 MiB for each of the six. The host's own limit is 16 MiB. Without any limit it would be
        // 30 MB.
        assert!(grown < 80, "{grown} MiB more than before");
    }
}

#[test]
fn a_worker_in_javascript_publishes_by_native_rpc() {
    let demo = demo(env!("CARGO_BIN_EXE_embedded-demo"));
    let caller = Caller::start(&demo, "SOCKET_HUB", "h");
    let call = |method: &str, values: Value| caller.call(method, values);
    let mut socket = caller.client().connect("/SOCKET_HUB/h/ws?topics=a");
    let data = json!({ "list": [1, -2.5, "ü", true, null] });
    let published = call("publish", json!(["a", data]));
    assert_eq!(published["value"], json!({ "delivered": 1 }), "{published}");
    assert_eq!(socket.receive_json::<Value>(), event("a", &data));
    let status = call("status", json!([]));
    assert_eq!(status["value"]["sockets"], 1, "{status}");
    let error = call("publish", json!(["", data]))["error"].take();
    assert_eq!(
        (&error["code"], &error["status"]),
        (&json!("bad_request"), &json!(400))
    );
    for method in ["wake", "connect", "message", "closed", "failed"] {
        assert!(call(method, json!([])).get("error").is_some(), "{method}");
    }
}
