//! What one request keeps and another one uses.

use conformance::Outcome;
use host_tests::{Client, Host};
use serde_json::json;

use crate::case::Case;

pub const CASES: &[Case] = &[
    Case::together(
        "a stub that the app keeps serves every request",
        "P68",
        kept_stub,
    ),
    Case::together(
        "a stub that an object keeps serves every event",
        "P68",
        kept_by_an_object,
    ),
    Case::alone(
        "kept stubs survive a panic of another object",
        "P68",
        kept_over_a_panic,
    ),
    Case::together(
        "bindings that the app keeps serve every request",
        "",
        kept_env,
    ),
    Case::together(
        "a request that waits for what another one loads is answered",
        "",
        keys,
    ),
    Case::together("requests may pass a lock of the app on", "", turnstile),
    Case::together("a sleep that one request began ends in another", "", nap),
];

fn returned(number: u64) -> Outcome {
    Outcome::Returned(number.to_string())
}

fn kept_stub(client: &Client) {
    for _ in 0..4 {
        let outcome: Outcome = client.post("/kept/stub", json!({})).json();
        assert_eq!(outcome, returned(1));
    }
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| client.post("/kept/stub-in-order", json!({})).done());
        }
    });
    let heard: Vec<u64> = client.get("/peers/kept-by-the-app/heard").json();
    let heard: Vec<u64> = heard.into_iter().filter(|number| *number >= 100).collect();
    assert_eq!(heard.len(), 80);
    // The calls of one request keep their order, whatever other requests send over the same stub.
    let mut next = [100; 4];
    for number in heard {
        let of = next
            .iter_mut()
            .find(|next| **next == number)
            .unwrap_or_else(|| panic!("{number} overtook"));
        *of += 1;
    }
}

fn kept_by_an_object(client: &Client) {
    for call in 1..4 {
        let answer: (u64, Outcome) = client.post("/keepers/a/call", json!({})).json();
        assert_eq!(answer, (call, returned(call)));
    }
}

fn kept_over_a_panic(host: &mut Host) {
    let client = host.client();
    kept_stub(&client);
    kept_by_an_object(&client);
    let panicked = client.post("/keepers/other/panic", json!({}));
    // On workerd the panic ends the instance, and requests in it cannot distinguish it from a
    // reset.
    assert!(matches!(panicked.status, 500 | 503), "{panicked:?}");
    for _ in 0..2 {
        let outcome: Outcome = client.post("/kept/stub", json!({})).json();
        assert_eq!(outcome, returned(1));
        let (_, outcome): (u64, Outcome) = client.post("/keepers/a/call", json!({})).json();
        assert!(matches!(outcome, Outcome::Returned(_)), "{outcome:?}");
    }
}

fn kept_env(client: &Client) {
    for _ in 0..4 {
        let outcome: Outcome = client.post("/kept/env", json!({})).json();
        assert_eq!(outcome, returned(2));
    }
}

/// Returns the results of five requests at a time.
fn five_at_once(client: &Client, path: &'static str) -> Vec<String> {
    std::thread::scope(|scope| {
        let asked = [(); 5].map(|()| {
            scope.spawn(|| {
                let answer = client.get(path);
                format!("{} {}", answer.status, answer.text())
            })
        });
        asked
            .map(|asked| asked.join().expect("it is answered"))
            .into()
    })
}

fn keys(client: &Client) {
    let answers = five_at_once(client, "/keys");
    assert_eq!(answers, ["200 7"; 5]);
}

fn turnstile(client: &Client) {
    for path in [
        "/turnstile",
        "/turnstile?call=begun",
        "/turnstile?call=polled",
        "/turnstile?call=peeked",
        "/turnstile?call=dropped",
    ] {
        let answers = five_at_once(client, path);
        assert!(
            answers.iter().all(|answer| answer.starts_with("200 ")),
            "{path}: {answers:?}"
        );
    }
}

fn nap(client: &Client) {
    client.post("/kept/nap?begin=1", json!({})).done();
    let answer = client.post("/kept/nap", json!({}));
    // On the embedded host the second request may be on another thread.
    assert!(
        answer.status == 204 || answer.error_code().as_deref() == Some("awake"),
        "{answer:?}"
    );
}
