//! Many names chosen by strangers.

use std::time::Instant;

use host_tests::{Client, Kind, load, megabytes};
use serde_json::json;

use super::{PATIENCE, resident, start, watch};

const THREADS: usize = 8;
/// By how much memory may grow for any number of names, because objects in memory are bounded.
const GROWTH: u64 = 256 << 20;

/// Routes that only read. Their classes have migrations, alarms and fields.
const READS: [&str; 5] = [
    "/storage/NAME/field",
    "/alarms/NAME/next?key=x",
    "/bells/NAME/rung",
    "/counters/NAME",
    "/tasks/NAME",
];

/// Sends a request for each name over a few connections. Counts answers other than 200.
fn ask_all(client: &Client, names: usize, ask: impl Fn(usize) -> (&'static str, String) + Sync) {
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let ask = &ask;
            scope.spawn(move || {
                let mut connection = client.dial().expect("the app listens");
                for name in (thread..names).step_by(THREADS) {
                    let (method, path) = ask(name);
                    let body = (method == "POST").then(|| json!({ "by": 1 }));
                    let answer = connection
                        .exchange(method, &path, body.as_ref(), PATIENCE)
                        .expect("the app answers");
                    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
                }
            });
        }
    });
}

#[test]
fn names_that_are_only_asked_for_leave_nothing_on_disk() {
    let names = load(600, 50_000);
    let host = start(Kind::Embedded);
    let client = host.client();
    ask_all(&client, READS.len() * THREADS, |name| {
        (
            "GET",
            READS[name % READS.len()].replace("NAME", &format!("warm-{name}")),
        )
    });
    let before = (resident(&host), host.disk_use());
    let started = Instant::now();
    let ((), watched) = watch(&host, || {
        ask_all(&client, names, |name| {
            (
                "GET",
                READS[name % READS.len()].replace("NAME", &format!("n{name}")),
            )
        });
    });
    let (bytes, files) = host.disk_use();
    println!(
        "{names} names asked for in {:?}: memory {} MB before, {} MB at most; disk {} kB in {} files \
         before, {} kB in {files} files after",
        started.elapsed(),
        megabytes(before.0),
        megabytes(watched.peak),
        before.1.0 / 1_000,
        before.1.1,
        bytes / 1_000
    );
    watched.assert_healthy("names that are only asked for");
    assert!(watched.peak < before.0 + GROWTH, "memory grew");
    assert!(
        files <= before.1.1 + 16 && bytes <= before.1.0 + (4 << 20),
        "{} kB in {files} files are left by names that were only asked for",
        bytes / 1_000
    );
}

#[test]
fn names_that_are_written_to_leave_memory_bounded() {
    let names = load(600, 100_000);
    let host = start(Kind::Embedded);
    let client = host.client();
    let before = resident(&host);
    let started = Instant::now();
    let ((), watched) = watch(&host, || {
        ask_all(&client, names, |name| {
            if name % 3 == 0 {
                ("POST", format!("/counters/n{name}/increment"))
            } else {
                (
                    "GET",
                    READS[name % READS.len()].replace("NAME", &format!("n{name}")),
                )
            }
        });
    });
    let (bytes, files) = host.disk_use();
    println!(
        "{names} names, a third written to, in {:?}: memory {} MB before, {} MB at most; disk {} kB \
         in {files} files",
        started.elapsed(),
        megabytes(before),
        megabytes(watched.peak),
        bytes / 1_000
    );
    watched.assert_healthy("names that are written to");
    assert!(watched.peak < before + GROWTH, "memory grew");
    for name in (0..names).step_by((names / 30).max(3) / 3 * 3) {
        let value: i64 = client.get(&format!("/counters/n{name}")).json();
        assert_eq!(value, 1, "n{name}");
    }
}
