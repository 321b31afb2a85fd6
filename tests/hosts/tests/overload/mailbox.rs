//! A flood of calls to one busy object.

use std::time::Instant;

use host_tests::{Kind, Raw, load, megabytes, raise_open_files};
use serde_json::json;

use super::{PATIENCE, resident, start, watch};

/// How many bytes one waiting call may take for its connection, its request and its place.
const BYTES_OF_A_CALL: u64 = 64 * 1024;

fn a_flood(kind: Kind, calls: usize) {
    // The host has the same limit, and uses half of it for connections.
    let calls = calls.min(raise_open_files() * 2 / 5);
    let host = start(kind);
    let client = host.client().within(PATIENCE);
    client
        .post("/bystanders/other/increment", json!({}))
        .expect_status(200);
    let before = resident(&host);
    let ((counted, refused, other), watched) = watch(&host, || {
        let mut holder = client.dial().expect("the app listens");
        holder
            .ask(
                "POST",
                "/bystanders/slow/hold",
                Some(&json!({ "gate": "gate" })),
            )
            .expect("the app reads");
        let mut waiting: Vec<Raw> = Vec::with_capacity(calls);
        for number in 0..calls {
            let mut call = client
                .dial()
                .unwrap_or_else(|error| panic!("connection {number}: {error}"));
            call.ask("POST", "/bystanders/slow/increment", Some(&json!({})))
                .expect("the app reads");
            waiting.push(call);
        }
        let asked = Instant::now();
        client
            .post("/bystanders/other/increment", json!({}))
            .expect_status(200);
        let other = asked.elapsed();
        client
            .post("/bystanders/gate/increment", json!({}))
            .expect_status(200);
        let (mut counted, mut refused) = (0, 0);
        for call in &mut waiting {
            let answer = call.answer(PATIENCE).expect("each call is answered");
            match (answer.status, answer.error_code().as_deref()) {
                (200, _) => counted += 1,
                (503, Some("overloaded")) => {
                    let pause = answer.header("retry-after");
                    assert!(
                        pause.is_some_and(|pause| pause.parse::<u64>().is_ok()),
                        "a 503 says when to come again: {:?}",
                        answer.headers
                    );
                    refused += 1;
                }
                _ => panic!("{} {}", answer.status, answer.text()),
            }
        }
        assert_eq!(holder.answer(PATIENCE).map(|answer| answer.status), Ok(204));
        (counted, refused, other)
    });
    println!(
        "{kind}: {calls} calls at one object: {counted} served, {refused} refused; \
         another object answered in {other:?}; memory {} MB before, {} MB after",
        megabytes(before),
        megabytes(resident(&host))
    );
    watched.assert_healthy(&format!("{kind}, mailbox flood"));
    assert!(other < super::healthy(), "another object took {other:?}");
    let allowed = before + calls as u64 * BYTES_OF_A_CALL + (64 << 20);
    if kind == Kind::Embedded {
        assert!(
            watched.peak < allowed,
            "{} MB of memory",
            megabytes(watched.peak)
        );
    }
    if kind == Kind::Embedded {
        assert!(refused > 0, "all of {calls} calls were taken in");
    }
    // Calls that were answered with a value were counted. Refused ones were not.
    let value: u64 = client.get("/bystanders/slow").json();
    assert_eq!(value, counted, "{kind}");
    for next in 1..=10 {
        let answer = client.post("/bystanders/slow/increment", json!({}));
        assert_eq!(answer.json::<u64>(), value + next, "{kind}: it recovers");
    }
}

#[test]
fn a_flood_at_one_object_is_refused_honestly_on_the_embedded_host() {
    a_flood(Kind::Embedded, load(4_600, 10_000));
}

#[test]
fn a_flood_at_one_object_is_answered_on_workerd() {
    a_flood(Kind::Workerd, load(300, 5_000));
}
