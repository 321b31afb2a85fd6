//! Sleeping.

use conformance::Slept;
use host_tests::{Client, Host, Kind};
use serde_json::json;

use crate::case::Case;

pub const CASES: &[Case] = &[
    Case::together(
        "more than 10,000 sleepers wake at their time and not before",
        "P23",
        many,
    ),
    Case::together(
        "a sleep of more than 2^31 ms does not end early",
        "P23",
        long,
    ),
    Case::together("work is ended when its time is over", "P23", limited),
    Case::alone(
        "a queue of more than 10,000 turns is worked off",
        "P23",
        crowd,
    )
    .slow()
    .only_on(
        Kind::Workerd,
        "the embedded host's mailbox refuses so many calls",
    ),
];

fn many(client: &Client) {
    for path in ["/timers/many/many", "/many-timers"] {
        let slept: Slept = client.get(&format!("{path}?count=12000&ms=300")).json();
        assert_eq!(
            slept,
            Slept {
                sleepers: 12_000,
                early: 0
            },
            "{path}"
        );
    }
}

fn long(client: &Client) {
    for path in ["/timers/long/long", "/long-timers"] {
        let outlasted: Vec<bool> = client.get(path).json();
        assert_eq!(outlasted, [true; 5], "{path}");
    }
}

fn limited(client: &Client) {
    for path in ["/timers/limited/limited", "/limited-timers"] {
        let in_time: Vec<bool> = client.get(path).json();
        assert_eq!(in_time, [true, false, true], "{path}");
    }
}

fn crowd(host: &mut Host) {
    let failed: usize = host
        .client()
        .post(
            "/timers/crowd/crowd",
            json!({ "at": "crowded", "count": 10_500 }),
        )
        .json();
    assert_eq!(failed, 0);
}
