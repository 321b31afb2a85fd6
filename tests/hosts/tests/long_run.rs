//! A long run of requests, disconnects and evictions on the embedded host. Its memory does not
//! grow.
//!
//! The run is short in the suite. `ANCHORHOLD_FULL_LOAD=1` makes it 100,000 requests. The figures
//! are printed.

use std::time::{Duration, Instant};

use host_tests::{Client, Host, Kind, Random, load, megabytes, trouble};
use serde_json::json;

const THREADS: u64 = 8;
const PARTS: usize = 10;
/// More objects than are kept in memory, so that every request may wake one and evict another.
const OBJECTS: u64 = 1_500;
/// How many bytes the allocator may keep in addition to those in use.
const GROWTH: u64 = 48 << 20;
const PATIENCE: Duration = Duration::from_secs(60);

/// Requests of every kind: reads, writes, waits, ends, and some whose sender disconnects.
fn work(client: &Client, random: &mut Random, requests: usize) {
    let mut connection = client.dial().expect("the app listens");
    for _ in 0..requests {
        let object = random.below(OBJECTS);
        let kind = random.below(20);
        match kind {
            0 => {
                let wait = json!({ "ms": 30_000, "ticket": 1 });
                client
                    .post_unanswered(&format!("/bystanders/gone-{}/wait", object % 20), wait)
                    .reset();
                continue;
            }
            1 => {
                let wait = json!({ "ms": 20, "ticket": 1 });
                client
                    .post_unanswered(&format!("/bystanders/{object}/wait"), wait)
                    .close();
                continue;
            }
            _ => {}
        }
        let (method, path, expected) = match kind {
            2 => ("GET", "/sleep?ms=5".to_owned(), 200),
            3 => ("POST", format!("/doomed/{}/abort", object % 50), 503),
            4 => ("POST", format!("/doomed/{}/panic", object % 50), 503),
            5 => (
                "GET",
                format!("/bystanders/{object}/large?bytes=100000"),
                200,
            ),
            6..10 => ("GET", format!("/bystanders/{object}"), 200),
            _ => ("POST", format!("/bystanders/{object}/increment"), 200),
        };
        let body = (method == "POST").then(|| json!({}));
        let answer = connection
            .exchange(method, &path, body.as_ref(), PATIENCE)
            .expect("the app answers");
        // An end may be answered with another server error. Other requests may not.
        let is_right = answer.status == expected || (expected == 503 && answer.status >= 500);
        assert!(is_right, "{path}: {} {}", answer.status, answer.text());
    }
}

#[test]
fn memory_is_flat_over_many_requests_hang_ups_and_evictions() {
    let requests = load(4_000, 100_000);
    let host = Host::start(
        Kind::Embedded,
        &trouble(env!("CARGO_BIN_EXE_embedded-trouble")),
    );
    let client = host.client();
    let started = Instant::now();
    let mut memory = Vec::new();
    for part in 0..PARTS {
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let client = &client;
                let seed = part as u64 * THREADS + thread;
                let share = requests / PARTS / usize::try_from(THREADS).expect("few threads");
                scope.spawn(move || work(client, &mut Random::new(seed), share));
            }
        });
        memory.push(host.resident_memory().expect("/proc tells it"));
    }
    let shown: Vec<u64> = memory.iter().map(|bytes| megabytes(*bytes)).collect();
    println!(
        "{requests} requests in {:?}; MB of memory after each tenth: {shown:?}",
        started.elapsed()
    );
    let warm = memory[PARTS / 2 - 1];
    let last = memory[PARTS - 1];
    assert!(last < warm + GROWTH, "memory grows: {shown:?} MB");
}
