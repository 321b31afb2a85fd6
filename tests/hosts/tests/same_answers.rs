//! The demo answers alike on both hosts: the same requests, statuses, headers and bodies.

use std::time::Duration;

use host_tests::{Client, Host, Kind, demo, eventually};
use serde_json::{Value, json};

/// The parts of an answer that must be the same.
#[derive(Debug, PartialEq)]
struct Seen {
    status: u16,
    content_type: Option<String>,
    allow: Option<String>,
    body: Value,
}

fn seen(client: &Client, method: &str, path: &str, body: Option<&Value>) -> Seen {
    let answer = match body {
        Some(body) => client.send_json(method, path, body),
        None => client.send(method, path, &[], None),
    };
    let answer = answer.unwrap_or_else(|error| panic!("{error}"));
    Seen {
        status: answer.status,
        content_type: answer.header("content-type").map(str::to_owned),
        allow: answer.header("allow").map(str::to_owned),
        body: serde_json::from_slice(&answer.body).unwrap_or_else(|_| answer.text().into()),
    }
}

struct Both {
    hosts: [Host; 2],
}

impl Both {
    fn start() -> Self {
        let demo = demo(env!("CARGO_BIN_EXE_embedded-demo"));
        Self {
            hosts: Kind::BOTH.map(|kind| Host::start(kind, &demo)),
        }
    }

    fn clients(&self) -> [Client; 2] {
        self.hosts.each_ref().map(Host::client)
    }

    /// Sends one request to both hosts. Returns the answer that both gave.
    #[track_caller]
    fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Seen {
        let [embedded, workerd] = self
            .clients()
            .map(|client| seen(&client, method, path, body.as_ref()));
        assert_eq!(
            embedded, workerd,
            "{method} {path} {body:?}: embedded is on the left, workerd on the right"
        );
        embedded
    }

    #[track_caller]
    fn get(&self, path: &str) -> Value {
        let seen = self.ask("GET", path, None);
        assert_eq!(seen.status, 200, "{path}: {seen:?}");
        seen.body
    }

    #[track_caller]
    fn post(&self, path: &str, body: Value) -> Seen {
        self.ask("POST", path, Some(body))
    }
}

#[test]
fn counter() {
    let both = Both::start();
    assert_eq!(both.get("/counters/a"), 0);
    for (by, value) in [
        (5_i64, 5_i64),
        (-7, -2),
        (0, -2),
        (9_007_199_254_740_993, 9_007_199_254_740_991),
    ] {
        let seen = both.post("/counters/a/increment", json!({ "by": by }));
        assert_eq!((seen.status, seen.body), (200, json!(value)));
    }
    assert_eq!(
        both.post("/counters/b/increment", json!({ "by": i64::MAX }))
            .body,
        json!(i64::MAX)
    );
    let overflow = both.post("/counters/b/increment", json!({ "by": 1 }));
    assert_eq!(
        (overflow.status, &overflow.body["error"]["code"]),
        (400, &json!("overflow"))
    );
    assert_eq!(
        both.get("/counters/b"),
        json!(i64::MAX),
        "an overflow changes nothing"
    );
    assert_eq!(both.get("/counters/b/"), json!(i64::MAX));
    assert_eq!(both.get("/counters/c"), 0);
    assert_eq!(both.get("/counters/%C3%BC%2F%20"), 0);
    assert_eq!(both.ask("HEAD", "/counters/a", None).status, 200);
    assert_eq!(both.get("/healthz"), "ok");
    assert_eq!(both.ask("GET", "/", None).status, 200, "the page");
}

#[test]
fn scratch() {
    let both = Both::start();
    let ids = both.clients().map(|client| {
        let created: Value = client.post("/scratch", json!({})).expect_status(201).json();
        let id = created["id"].as_str().expect("an id is text").to_owned();
        assert_eq!(created, json!({ "id": id }), "and nothing beside it");
        assert!(
            id.len() == 64 && id.bytes().all(|digit| digit.is_ascii_hexdigit()),
            "{id}"
        );
        assert_eq!(client.get(&format!("/scratch/{id}")).json::<i64>(), 0);
        assert_eq!(
            client
                .post(&format!("/scratch/{id}/increment"), json!({ "by": 3 }))
                .json::<i64>(),
            3
        );
        assert_eq!(client.get(&format!("/scratch/{id}")).json::<i64>(), 3);
        id
    });
    assert_ne!(ids[0], ids[1]);
    // Created by the other host's namespace, or by none.
    for (client, foreign) in both.clients().iter().zip(ids.iter().rev()) {
        let answer = client
            .get(&format!("/scratch/{foreign}"))
            .expect_status(404);
        assert_eq!(answer.error_code().as_deref(), Some("not_found"));
    }
    for id in [
        "x".to_owned(),
        "0".repeat(63),
        "0".repeat(64),
        "g".repeat(64),
        "0".repeat(65),
    ] {
        assert_eq!(both.ask("GET", &format!("/scratch/{id}"), None).status, 404);
        assert_eq!(
            both.post(&format!("/scratch/{id}/increment"), json!({ "by": 1 }))
                .status,
            404
        );
    }
}

#[test]
fn task() {
    let both = Both::start();
    let idle = json!({ "running": false, "runs": 0, "last_run": null, "next_run": null });
    assert_eq!(both.get("/tasks/t"), idle);
    // More than 32 bits can count.
    assert_eq!(both.get("/tasks/t/runs?limit=5000000000"), json!([]));
    assert_eq!(
        both.post("/tasks/t/stop", json!({})).status,
        204,
        "stopping what never ran is no error"
    );
    assert_eq!(
        both.post("/tasks/t/start", json!({ "every_ms": 100 }))
            .status,
        204
    );
    assert_eq!(
        both.post("/tasks/t/start", json!({ "every_ms": 150 }))
            .status,
        204,
        "again: replaces"
    );
    for client in both.clients() {
        let ran = eventually(Duration::from_secs(20), || {
            let status: Value = client.get("/tasks/t").json();
            (status["runs"].as_u64()? >= 3).then_some(status)
        });
        let status = ran.expect("the task runs");
        assert_eq!(status["running"], true);
        assert!(
            status["next_run"].as_i64() > status["last_run"].as_i64(),
            "{status}"
        );
    }
    assert_eq!(both.post("/tasks/t/stop", json!({})).status, 204);
    let stopped = both
        .clients()
        .map(|client| client.get("/tasks/t").json::<Value>());
    std::thread::sleep(Duration::from_millis(600));
    for (client, stopped) in both.clients().iter().zip(stopped) {
        assert_eq!(
            (&stopped["running"], &stopped["next_run"]),
            (&json!(false), &Value::Null)
        );
        assert_eq!(
            client.get("/tasks/t").json::<Value>(),
            stopped,
            "a stopped task runs no more"
        );
    }

    assert_eq!(
        both.post("/tasks/c/start", json!({ "cron": "*/5 * * * *" }))
            .status,
        204
    );
    for client in both.clients() {
        let status: Value = client.get("/tasks/c").json();
        let next = status["next_run"].as_i64().expect("a next run");
        assert_eq!(
            (&status["running"], next % 300_000),
            (&json!(true), 0),
            "{status}"
        );
    }
}
