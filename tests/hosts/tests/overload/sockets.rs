//! Thousands of sockets whose clients do not read.

use std::time::{Duration, Instant};

use host_tests::{Connection, Host, Kind, Received, load, megabytes, raise_open_files};
use serde_json::{Value, json};

use super::{resident, start, watch};

/// How many bytes the host may hold in total for clients that do not read.
const ALLOWED: u64 = 1 << 30;

/// How much is published to each of them. In the suite this exceeds what may wait for one. With
/// 10,000 of them it exceeds what may wait for all.
fn published() -> usize {
    load(12 << 20, 1 << 20)
}

struct Outcome {
    events: usize,
    stopped: bool,
    slowest_event: Duration,
}

/// Publishes until every client that does not read must have been dropped, or until too much is
/// held.
fn publish(host: &Host, quick: &mut Connection, before: u64) -> Outcome {
    let client = host.client();
    let text = "x".repeat(load(60_000, 6_000));
    let mut outcome = Outcome {
        events: 0,
        stopped: false,
        slowest_event: Duration::ZERO,
    };
    while outcome.events * text.len() < published() {
        let number = outcome.events;
        let body = json!({ "topic": "a", "data": { "number": number, "text": text } });
        let published = Instant::now();
        let answer = client.post("/hubs/slow/publish", body);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let event: Value = quick.receive_json();
        assert_eq!(event["data"]["number"], json!(number), "nothing is missing");
        outcome.slowest_event = outcome.slowest_event.max(published.elapsed());
        outcome.events += 1;
        if resident(host) > before + ALLOWED {
            // The machine may be busy with other work.
            outcome.stopped = true;
            break;
        }
    }
    outcome
}

#[test]
fn sockets_that_do_not_read_are_dropped_and_delay_no_other() {
    let wanted = load(300, 10_000);
    // The host has the same limit, and uses half of it for connections.
    let count = wanted.min(raise_open_files() * 2 / 5);
    let host = start(Kind::Embedded);
    let hub = host.client().at("/hubs/slow");
    let mut quick = hub.connect("/ws?topics=a");
    let started = Instant::now();
    let mut slow = Vec::with_capacity(count);
    // The hub accepts 10,000, including the quick one.
    for number in 1..count {
        match hub.open("/ws?topics=a", &[]) {
            Ok(connection) => slow.push(connection),
            Err(refused) => panic!("socket {number}: {refused:?}"),
        }
    }
    println!(
        "{} sockets of {wanted} in {:?}",
        slow.len(),
        started.elapsed()
    );
    let before = resident(&host);
    let (outcome, watched) = watch(&host, || publish(&host, &mut quick, before));
    println!(
        "{} sockets that do not read, {} events: memory {} MB before, {} MB at most, {} MB \
         after; the slowest event took {:?} to the client that reads",
        slow.len(),
        outcome.events,
        megabytes(before),
        megabytes(watched.peak),
        megabytes(resident(&host)),
        outcome.slowest_event
    );
    watched.assert_healthy("sockets that do not read");
    assert!(
        !outcome.stopped,
        "more than {} MB are held for clients that do not read",
        megabytes(ALLOWED)
    );
    // Clients that were dropped have no gap before the end.
    for socket in slow.iter_mut().take(5) {
        let mut next = 0;
        loop {
            match socket.receive_within(Duration::from_secs(10)) {
                Some(Received::Text(text)) => {
                    let event: Value = serde_json::from_str(&text).expect("JSON");
                    assert_eq!(event["data"]["number"], json!(next), "a hole");
                    next += 1;
                }
                Some(Received::Close { code, .. }) => break assert_eq!(code, 1013),
                Some(Received::Broken) => break,
                other => panic!("after {next} events of {}: {other:?}", outcome.events),
            }
        }
    }
    drop(slow);
    let event = json!({ "topic": "a", "data": { "number": "last" } });
    hub.post("/publish", event).expect_status(200);
    assert_eq!(
        quick.receive_json::<Value>()["data"]["number"],
        "last",
        "it goes on"
    );
}
