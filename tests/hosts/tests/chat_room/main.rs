//! The chat room on both hosts: many sockets, kills meanwhile, hibernation, the administrator.

use std::collections::VecDeque;
use std::sync::{Barrier, Condvar, Mutex};
use std::time::{Duration, Instant};

use host_tests::{Client, Connection, Host, Kind, Received, demo};
use serde::Deserialize;
use serde_json::{Value, json};

mod crowd;

fn start(kind: Kind) -> Host {
    Host::start(kind, &demo(env!("CARGO_BIN_EXE_embedded-demo")))
}

/// Runs a test on both hosts at once.
fn on_both(test: impl Fn(&mut Host) + Sync) {
    std::thread::scope(|scope| {
        for kind in Kind::BOTH {
            let test = &test;
            std::thread::Builder::new()
                .name(kind.to_string())
                .spawn_scoped(scope, move || test(&mut start(kind)))
                .expect("a thread starts");
        }
    });
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Message {
    id: u64,
    user: String,
    text: String,
    client_id: Option<String>,
}

/// The events that are relevant here.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    Welcome {
        members: Vec<String>,
        history: Vec<Message>,
        more: bool,
        gap: bool,
    },
    Message(Message),
    Joined {
        user: String,
    },
    Left {
        user: String,
    },
    Typing {},
    Error {
        code: String,
        message: String,
    },
}

#[test]
fn a_message_answered_with_201_is_in_the_history_whatever_dies_next() {
    on_both(|host| {
        let mut posted: Vec<Message> = Vec::new();
        for round in 0..4 {
            let client = host.client().at("/rooms/kept");
            for step in 0..=round {
                let body = json!({ "user": "ann", "text": format!("{round}.{step}"), "client_id": format!("{round}.{step}") });
                let answer = client.post("/messages", &body).expect_status(201);
                posted.push(answer.json());
            }
            host.kill();
            host.restart();
            let client = host.client().at("/rooms/kept");
            let page: Value = client.get("/history").json();
            let kept: Vec<Message> =
                serde_json::from_value(page["messages"].clone()).expect("messages");
            assert_eq!(kept, posted, "{}", host.kind());
            // The client has not received the answer, and retries.
            let last = posted.last().expect("there are some");
            let body = json!({ "user": "ann", "text": last.text, "client_id": last.client_id });
            let again: Message = client.post("/messages", &body).expect_status(201).json();
            assert_eq!(again, *last, "{}", host.kind());
        }
        let ids: Vec<u64> = posted.iter().map(|message| message.id).collect();
        assert_eq!(ids, (1..=10).collect::<Vec<_>>());
    });
}

#[track_caller]
fn welcomed(socket: &mut Connection) -> (Vec<String>, Vec<Message>) {
    match socket.receive_json() {
        Event::Welcome {
            members, history, ..
        } => (members, history),
        other => panic!("a welcome comes first, and not {other:?}"),
    }
}

/// Only the embedded host tells an object that a peer does not read. workerd keeps what waits.
#[test]
fn slow_reader_is_closed_without_a_gap_and_delays_no_other() {
    let host = start(Kind::Embedded);
    let room = host.client().at("/rooms/slow");
    let mut slow = room.connect("/ws?user=slow");
    let mut quick = room.connect("/ws?user=quick");
    welcomed(&mut quick);
    // 16 MiB may wait for a peer, and the network holds some more.
    let (text, count) = ("😀".repeat(4_096), 1_800);
    for number in 1..=count {
        quick.send(&json!({ "type": "post", "text": text }));
        if number % 60 == 0 {
            for id in number - 59..=number {
                assert!(
                    matches!(quick.receive_json(), Event::Message(message) if message.id == id)
                );
            }
        }
    }
    welcomed(&mut slow);
    assert!(matches!(slow.receive_json(), Event::Joined { .. }));
    let mut last = 0;
    let end = loop {
        match slow.receive() {
            Received::Text(text) => match serde_json::from_str(&text).expect("an event") {
                Event::Message(message) => {
                    assert_eq!(message.id, last + 1);
                    last = message.id;
                }
                other => panic!("a message was due, and not {other:?}"),
            },
            end => break end,
        }
    };
    assert!(
        matches!(end, Received::Close { code: 1_013, .. }),
        "{end:?}"
    );
    assert!(last < count, "{last}");
    assert!(matches!(quick.receive_json(), Event::Left { user } if user == "slow"));
    // The messages that it missed can be read in pages.
    let mut slow = room.connect(&format!("/ws?user=slow&since={last}"));
    let (_, history) = welcomed(&mut slow);
    assert_eq!(history.last().map(|message| message.id), Some(count));
}

#[test]
fn sockets_and_their_roster_survive_hibernation() {
    on_both(|host| {
        let room = host.client().at("/rooms/quiet");
        let mut ann = room.connect("/ws?user=ann");
        assert_eq!(welcomed(&mut ann).0, ["ann"]);
        let mut reader = room.connect("/ws?user=bob&role=reader");
        assert_eq!(welcomed(&mut reader).0, ["ann", "bob"]);
        ann.send(&json!({ "type": "post", "text": "good night", "client_id": "1" }));
        assert!(matches!(ann.receive_json(), Event::Joined { user } if user == "bob"));
        assert!(matches!(ann.receive_json(), Event::Message(_)));

        // About 10 s of silence lead to hibernation. Pings do not prevent it.
        for _ in 0..4 {
            std::thread::sleep(Duration::from_secs(3));
            ann.send_text("ping");
            assert_eq!(ann.receive(), Received::Text("pong".to_owned()));
        }
        let mut carl = room.connect("/ws?user=carl");
        let (members, history) = welcomed(&mut carl);
        assert_eq!(members, ["ann", "bob", "carl"], "{}", host.kind());
        assert_eq!(history.len(), 1);
        assert!(matches!(ann.receive_json(), Event::Joined { user } if user == "carl"));
        assert!(matches!(reader.receive_json(), Event::Message(_)));
        assert!(matches!(reader.receive_json(), Event::Joined { .. }));
        reader.send(&json!({ "type": "post", "text": "hi" }));
        assert!(
            matches!(reader.receive_json(), Event::Error { code, .. } if code == "read_only"),
            "{}: the session says who may post",
            host.kind()
        );
        ann.send(&json!({ "type": "post", "text": "good night", "client_id": "1" }));
        assert!(matches!(
            ann.receive_json(),
            Event::Message(Message { id: 1, .. })
        ));

        // It wakes for a departure, and the other clients are told.
        std::thread::sleep(Duration::from_secs(12));
        carl.close(1_000, "bye");
        assert!(matches!(ann.receive_json(), Event::Left { user } if user == "carl"));
        assert_eq!(
            carl.receive(),
            Received::Close {
                code: 1_000,
                reason: "bye".to_owned()
            }
        );
        assert_eq!(room.get("/members").json::<Vec<String>>(), ["ann", "bob"]);
    });
}

#[test]
fn both_hosts_answer_alike() {
    let mut hosts = Kind::BOTH.map(start);
    let ask = |method: &str, path: &str, body: Option<Value>| -> (u16, Value) {
        let answers = hosts.each_ref().map(|host| {
            let client = host.client();
            let answer = match &body {
                Some(body) => client.send_json(method, path, body),
                None => client.send(method, path, &[], None),
            };
            let answer = answer.unwrap_or_else(|error| panic!("{error}"));
            let mut body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            without_times(&mut body);
            (answer.status, body)
        });
        assert_eq!(answers[0], answers[1], "{method} {path}");
        answers[0].clone()
    };
    let post = |body: Value| ask("POST", "/rooms/a/messages", Some(body));
    let hi = json!({ "id": 1, "user": "ann", "text": "hi", "at": 0, "client_id": "x" });
    for _ in 0..2 {
        let answer = post(json!({ "user": "ann", "text": "hi", "client_id": "x" }));
        assert_eq!(answer, (201, hi.clone()));
    }
    let (status, body) = post(json!({ "user": "ann", "text": "ho" }));
    assert_eq!((status, body["id"].as_u64()), (201, Some(2)));
    let (_, page) = ask("GET", "/rooms/a/history?before=2&limit=50", None);
    assert_eq!(page, json!({ "messages": [hi], "more": false }));
    let (_, page) = ask("GET", "/rooms/a/history?limit=1", None);
    assert_eq!(
        (&page["messages"][0]["text"], &page["more"]),
        (&json!("ho"), &json!(true))
    );
    assert_eq!(ask("GET", "/rooms/a/members", None), (200, json!([])));
    for (body, field) in [
        (json!({ "user": "", "text": "hi" }), "`user`"),
        (json!({ "user": "x".repeat(65), "text": "hi" }), "`user`"),
        (json!({ "text": "hi" }), "`user`"),
        (json!({ "user": "ann" }), "`text`"),
        (json!({ "user": "ann", "text": "" }), "`text`"),
        (
            json!({ "user": "ann", "text": "x".repeat(4_097) }),
            "`text`",
        ),
        (
            json!({ "user": "ann", "text": "hi", "colour": "red" }),
            "`colour`",
        ),
        (
            json!({ "user": "ann", "text": "hi", "client_id": "x".repeat(129) }),
            "`client_id`",
        ),
    ] {
        let (status, body) = post(body);
        let message = body["error"]["message"].as_str().unwrap_or_default();
        assert!(status == 400 && message.contains(field), "{body}");
    }
    for (path, status) in [
        ("/rooms/a/history?limit=0", 400),
        ("/rooms/a/history?before=x", 400),
        ("/rooms/a/history?page=2", 400),
        ("/rooms/a/ws?user=ann", 426),
        ("/rooms/a/messages", 405),
        ("/rooms/a", 404),
    ] {
        assert_eq!(ask("GET", path, None).0, status, "{path}");
    }
    for host in &mut hosts {
        let room = host.client().at("/rooms/a");
        for query in ["", "user=", "user=ann&colour=red", "user=%00"] {
            let refusal = room.open(&format!("/ws?{query}"), &[]).err();
            assert_eq!(refusal.map(|refusal| refusal.status), Some(400), "{query}");
        }
        let mut ann = room.connect("/ws?user=ann");
        assert_eq!(welcomed(&mut ann).1.len(), 2);
        for frame in [
            "{}",
            r#"{"type":"post","text":"a","colour":"red"}"#,
            r#"{"type":"typing","loud":true}"#,
        ] {
            ann.send_text(frame);
            assert!(
                matches!(ann.receive_json(), Event::Error { code, .. } if code == "bad_message")
            );
        }
        let largest = "😀".repeat(4_096);
        ann.send(&json!({ "type": "post", "text": largest }));
        assert!(
            matches!(ann.receive_json(), Event::Message(Message { id: 3, text, .. }) if text == largest)
        );
    }
}

fn without_times(body: &mut Value) {
    match body {
        Value::Object(fields) => {
            if let Some(at) = fields.get_mut("at") {
                assert!(at.as_i64() > Some(1_700_000_000_000), "{at}");
                *at = json!(0);
            }
            fields.values_mut().for_each(without_times);
        }
        Value::Array(values) => values.iter_mut().for_each(without_times),
        _ => {}
    }
}

#[test]
fn an_administrators_worker_configures_kicks_and_bans() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/chat_caller.js");
    let demo = demo(env!("CARGO_BIN_EXE_embedded-demo")).called_by(script);
    let host = Host::start(Kind::Workerd, &demo);
    let client = host.client();
    let call = |method: &str, values: Value| -> Value {
        let mut answer: Value = client
            .post("/", json!({ "method": method, "values": values }))
            .json();
        match answer.get_mut("error") {
            Some(error) => error.take(),
            None => answer["value"].take(),
        }
    };
    let error = call("configure", json!([{ "silence_ms": 1 }]));
    assert_eq!(
        (&error["code"], &error["status"]),
        (&json!("bad_settings"), &json!(400))
    );
    assert_eq!(
        call(
            "configure",
            json!([{ "silence_ms": 3_000, "rate_limit": 2 }])
        ),
        Value::Null
    );
    assert_eq!(call("settings", json!([]))["rate_limit"], 2);

    let room = client.at("/rooms/lobby");
    let mut ann = room.connect("/ws?user=ann");
    welcomed(&mut ann);
    ann.send_text("ping");
    assert_eq!(ann.receive(), Received::Text("pong".to_owned()));
    let mut eve = room.connect("/ws?user=eve");
    assert_eq!(welcomed(&mut eve).0, ["ann", "eve"]);
    assert!(matches!(ann.receive_json(), Event::Joined { .. }));
    assert_eq!(call("ban", json!(["eve", 60_000, "be kind"])), 1);
    assert_eq!(
        eve.receive(),
        Received::Close {
            code: 4_003,
            reason: "be kind".to_owned()
        }
    );
    assert!(matches!(ann.receive_json(), Event::Left { user } if user == "eve"));
    let refusal = room.open("/ws?user=eve", &[]).err().expect("eve is banned");
    assert!(refusal.status == 403, "{refusal:?}");
    assert_eq!(call("standings", json!([]))[0]["restriction"], "banned");
    assert_eq!(call("pardon", json!(["eve"])), true);

    for _ in 0..3 {
        ann.send(&json!({ "type": "post", "text": "hi" }));
    }
    for _ in 0..2 {
        assert!(matches!(ann.receive_json(), Event::Message(_)));
    }
    assert!(matches!(ann.receive_json(), Event::Error { code, .. } if code == "limited"));

    // Ann has pinged, and is silent from now on.
    let reason = "no message or ping was received in time".to_owned();
    let silent = Received::Close {
        code: 4_008,
        reason,
    };
    assert_eq!(ann.receive(), silent);
    assert_eq!(call("members", json!([])), json!([]));
}
