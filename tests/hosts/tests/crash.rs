//! The embedded host is killed during its work, and loses nothing that it acknowledged.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use host_tests::{Client, Host, Kind, demo, eventually};
use serde_json::{Value, json};

const ROUNDS: u64 = 20;
const CLIENTS: usize = 64;

/// What the clients of one counter have sent and received.
#[derive(Default)]
struct Tally {
    sent: AtomicI64,
    /// The highest value that was acknowledged.
    acknowledged: AtomicI64,
}

impl Tally {
    fn increment_until_dead(&self, client: &Client) {
        loop {
            self.sent.fetch_add(1, Ordering::SeqCst);
            match client.send_json("POST", "/counters/a/increment", &json!({ "by": 1 })) {
                Ok(answer) => {
                    self.acknowledged.fetch_max(answer.json(), Ordering::SeqCst);
                }
                Err(_) => break,
            }
        }
    }
}

#[test]
fn a_killed_host_has_every_acknowledged_increment() {
    let mut host = Host::start(Kind::Embedded, &demo(env!("CARGO_BIN_EXE_embedded-demo")));
    let tally = Tally::default();
    for round in 0..ROUNDS {
        let client = host.client();
        let before = tally.acknowledged.load(Ordering::SeqCst);
        std::thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| tally.increment_until_dead(&client));
            }
            eventually(Duration::from_secs(20), || {
                (tally.acknowledged.load(Ordering::SeqCst) > before).then_some(())
            })
            .expect("increments are acknowledged");
            // Each round kills it at another point of the work.
            std::thread::sleep(Duration::from_millis(7 * round));
            host.kill();
        });
        host.restart();
        let value: i64 = host.client().get("/counters/a").json();
        let (sent, acknowledged) = (
            tally.sent.load(Ordering::SeqCst),
            tally.acknowledged.load(Ordering::SeqCst),
        );
        assert!(
            (acknowledged..=sent).contains(&value),
            "round {round}: {acknowledged} acknowledged, {sent} sent, {value} found"
        );
    }
}

#[test]
fn a_tasks_alarm_fires_after_the_restart() {
    for kind in Kind::BOTH {
        let mut host = Host::start(kind, &demo(env!("CARGO_BIN_EXE_embedded-demo")));
        let runs = |client: &Client| client.get("/tasks/t").json::<Value>()["runs"].as_u64();
        host.client()
            .post("/tasks/t/start", json!({ "every_ms": 400 }))
            .done();
        eventually(Duration::from_secs(20), || {
            runs(&host.client()).filter(|runs| *runs >= 1)
        })
        .expect("it runs");
        host.kill();
        host.restart();
        // A request would wake the object, so none is sent until the run must have happened
        // automatically.
        std::thread::sleep(Duration::from_secs(3));
        let status: Value = host.client().get("/tasks/t").json();
        assert!(status["runs"].as_u64() >= Some(4), "{kind}: {status}");
    }
}
