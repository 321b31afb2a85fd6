//! Many alarms that are due at the same time when the host starts.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use host_tests::{Client, Kind, eventually, load};
use serde_json::json;

use super::{PATIENCE, start, watch};

const THREADS: usize = 8;

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since.expect("the clock is right").as_millis()).expect("a date of our time")
}

/// Schedules a run in each of this many objects.
fn schedule(client: &Client, bells: usize, at: u64) {
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                let mut connection = client.dial().expect("the app listens");
                for bell in (thread..bells).step_by(THREADS) {
                    let path = format!("/bells/{bell}/schedule");
                    let body = json!({ "at": at });
                    let answer = connection.exchange("POST", &path, Some(&body), PATIENCE);
                    answer.expect("the app answers").done();
                }
            });
        }
    });
}

#[test]
fn alarms_due_at_a_start_all_run_and_delay_no_request() {
    let bells = load(300, 1_500);
    let mut host = start(Kind::Embedded);
    let started = Instant::now();
    // Long enough to schedule all of them on a busy machine. Runs that are due before the kill run
    // early enough to be counted, too.
    let due = now_ms() + load(6_000, 30_000) as u64;
    schedule(&host.client(), bells, due);
    println!("{bells} alarms scheduled in {:?}", started.elapsed());
    host.kill();
    // The outage is what is tested: the runs become due while nothing is running.
    let left = due.saturating_sub(now_ms()) + 100;
    std::thread::sleep(Duration::from_millis(left));
    host.restart();
    let client = host.client().within(PATIENCE);
    let counted = || -> u64 { client.get("/tallies/bells").json() };
    let started = Instant::now();
    let (all, watched) = watch(&host, || {
        eventually(2 * PATIENCE, || (counted() == bells as u64).then_some(()))
    });
    println!(
        "{} of {bells} alarms ran within {:?} of the start",
        counted(),
        started.elapsed()
    );
    watched.assert_healthy("alarms due at a start");
    assert!(all.is_some(), "{} of {bells} ran", counted());
    for bell in (0..bells).step_by(bells / 20) {
        let rung: Vec<u64> = client.get(&format!("/bells/{bell}/rung")).json();
        assert!(
            !rung.is_empty() && rung.iter().all(|time| *time >= due),
            "bell {bell} was due at {due} and rang at {rung:?}"
        );
    }
}
