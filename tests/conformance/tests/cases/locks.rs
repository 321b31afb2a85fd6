//! A lock that another object holds.

use std::time::Duration;

use host_tests::{Client, eventually};
use serde_json::{Value, json};

use crate::case::Case;

pub const CASES: &[Case] = &[
    Case::together(
        "a holder's guard renews until the work is done, then releases",
        "",
        renewed,
    ),
    Case::together(
        "a holder's guard stops the work when the lease is lost",
        "",
        lost,
    ),
];

fn until_held(lock: &Client) {
    eventually(Duration::from_secs(20), || {
        lock.get("").json::<Value>()["held"]
            .as_bool()
            .filter(|held| *held)
    })
    .expect("the holder gets the lock");
}

fn renewed(client: &Client) {
    let [lock, holder, vault] =
        ["locks", "lock-holders", "vaults"].map(|path| client.at(&format!("/{path}/renewed")));
    let (first, next) = std::thread::scope(|scope| {
        // Three times as long as its lease, which is longer than the pauses of a busy machine.
        let work =
            scope.spawn(|| holder.post("/work", json!({ "ttl_ms": 3_000, "work_ms": 9_000 })));
        until_held(&lock);
        let next = json!({ "holder": "next", "ttl_ms": 60_000, "wait_ms": 60_000 });
        let next: Value = lock.post("/acquire", next).json();
        (
            work.join().expect("an answer").json::<u64>(),
            next["token"].as_u64().expect("a token"),
        )
    });
    assert!(first < next, "{first} {next}");
    assert_eq!(vault.get("").json::<Value>(), json!([first]));
    vault.post("/write", json!({ "token": next })).done();
    let stale = vault.post("/write", json!({ "token": first }));
    assert_eq!(
        (stale.status, stale.error_code().as_deref()),
        (409, Some("stale_token"))
    );
}

fn lost(client: &Client) {
    let [lock, holder, vault] =
        ["locks", "lock-holders", "vaults"].map(|path| client.at(&format!("/{path}/lost")));
    std::thread::scope(|scope| {
        let work =
            scope.spawn(|| holder.post("/work", json!({ "ttl_ms": 900, "work_ms": 80_000 })));
        until_held(&lock);
        let broken: Value = holder.post("/break", json!({ "reason": "a case" })).json();
        assert_eq!(broken["by"], "the case");
        assert!(broken["leases"][0]["token"].is_u64(), "{broken}");
        let answer = work.join().expect("an answer");
        assert_eq!(
            (answer.status, answer.error_code().as_deref()),
            (409, Some("lost"))
        );
    });
    assert_eq!(
        vault.get("").json::<Value>(),
        json!([]),
        "nothing was written"
    );
}
