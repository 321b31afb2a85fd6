//! An alarm's run that panics each time. It is retried as on the platform and then given up. Other
//! callers do not wait for it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use host_tests::{Client, Host, Kind, eventually, is_full_load};
use serde_json::json;

use crate::waiters::Waiters;
use crate::{BOUND, Complaints, is_healthy, start};

/// Returns how often the log reports each try. A panic may be logged on more than one line.
fn tries(host: &Host) -> BTreeMap<u32, usize> {
    let mut tries = BTreeMap::new();
    for line in host.log().lines() {
        let Some((_, rest)) = line.split_once("a run that panics as told, retry ") else {
            continue;
        };
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        if let Ok(number) = digits.parse() {
            *tries.entry(number).or_default() += 1;
        }
    }
    tries
}

fn rings(client: &Client) -> Option<u64> {
    let answer = client.send("GET", "/doomed/poisoned/rings", &[], None);
    serde_json::from_slice(&answer.ok()?.body).ok()
}

fn a_poisoned_alarm(kind: Kind) {
    let host = start(kind);
    let client = host.client().within(BOUND);
    let mut complaints = Complaints::default();
    let waiters = Waiters::prepare(&client, "poisoned");
    let started = Instant::now();
    std::thread::scope(|scope| {
        let waiting = waiters.start(scope, &client);
        client.post("/doomed/poisoned/poison", json!({})).done();
        if eventually(BOUND, || tries(&host).contains_key(&0).then_some(())).is_none() {
            complaints.add("the run never happens");
        }
        for outcome in waiting.outcomes() {
            complaints.check(outcome.judge(kind));
        }
    });
    for unharmed in waiters.unharmed(&client) {
        complaints.check(unharmed);
    }
    // Every request wakes the object, which must not start the run again.
    let asked = eventually(Duration::from_secs(20), || {
        (rings(&client) == Some(1)).then_some(())
    });
    if asked.is_none() {
        complaints.add(format!(
            "the object's other run, due after 3 s, has not happened after {:?}",
            started.elapsed()
        ));
    }
    complaints.check(is_healthy(&client));
    if is_full_load() {
        // 2 + 4 + 8 + 16 + 32 + 64 s with up to a quarter of jitter.
        eventually(Duration::from_secs(200), || {
            tries(&host).contains_key(&6).then_some(())
        });
        // A seventh retry would come after 128 s or more. One without a pause comes at once.
        std::thread::sleep(Duration::from_secs(5));
    }
    let elapsed = started.elapsed();
    let tries = tries(&host);
    println!("{kind}: tries of the poisoned run after {elapsed:?}: {tries:?}");
    // Retry n comes 2 (2^n - 1) s after the first try at the earliest.
    let most = (0..=6).filter(|retry| (2u64 << retry) - 2 <= elapsed.as_secs() + 1);
    let most = most.count();
    if tries.len() > most {
        complaints.add(format!("more than {most} tries in {elapsed:?}: {tries:?}"));
    }
    let first = tries.get(&0).copied().unwrap_or(1);
    for (number, count) in &tries {
        if *count > first.min(3) {
            complaints.add(format!("try {number} was logged {count} times: {tries:?}"));
        }
    }
    if !tries.contains_key(&1) {
        complaints.add(format!("it was not retried within {elapsed:?}: {tries:?}"));
    }
    let complaints = complaints.0;
    assert!(complaints.is_empty(), "{kind}:\n{}", complaints.join("\n"));
}

#[test]
fn a_run_that_always_panics_is_given_up_and_delays_no_other_on_the_embedded_host() {
    a_poisoned_alarm(Kind::Embedded);
}

#[test]
fn a_run_that_always_panics_is_given_up_and_delays_no_other_on_workerd() {
    a_poisoned_alarm(Kind::Workerd);
}
