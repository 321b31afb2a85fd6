//! The embedded host is killed with SIGKILL under load, repeatedly, and loses nothing that it
//! acknowledged.
//!
//! `ANCHORHOLD_KILL_ROUNDS=200` sets how many rounds each test has.

mod alarms;
mod chat;
mod counters;
mod locks;
mod tasks;
mod transactions;

use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use host_tests::{Client, Host, Kind, Random, trouble};

/// How long anything that must happen may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Clients of one kind of object. They record what was acknowledged.
trait Load: Sync {
    /// Returns how many workers there are.
    fn workers(&self) -> u64;

    /// Makes requests until one of them fails because the host is dead.
    fn work(&self, shift: &Shift<'_>) -> Result<(), String>;

    /// Compares what is stored after a restart with what was acknowledged.
    fn check(&self, client: &Client, round: u64) -> Result<(), String>;

    /// Does the same after the last round.
    fn conclude(&self, client: &Client) -> Result<(), String>;
}

/// One worker's part of a round.
struct Shift<'a> {
    client: &'a Client,
    round: u64,
    worker: u64,
    acknowledged: &'a Acknowledged,
}

/// How often a load was acknowledged something in this round.
#[derive(Default)]
struct Acknowledged {
    count: Mutex<u64>,
    counted: Condvar,
}

impl Acknowledged {
    fn count(&self) {
        *self.count.lock().expect("no panic while locked") += 1;
        self.counted.notify_all();
    }

    fn wait_for(&self, goal: u64) {
        let count = self.count.lock().expect("no panic while locked");
        let waited = self
            .counted
            .wait_timeout_while(count, PATIENCE, |count| *count < goal)
            .expect("no panic while locked");
        assert!(!waited.1.timed_out(), "{} of {goal} answers", *waited.0);
    }
}

impl Shift<'_> {
    fn random(&self) -> Random {
        Random::new(self.round * 1_000 + self.worker)
    }

    /// Returns a unique name.
    fn unique(&self, number: u64) -> String {
        format!("{}-{}-{number}", self.round, self.worker)
    }
}

fn rounds(suite: u64) -> u64 {
    let given = std::env::var("ANCHORHOLD_KILL_ROUNDS").ok();
    given.map_or(suite, |given| {
        given
            .parse()
            .expect("ANCHORHOLD_KILL_ROUNDS is a number of rounds")
    })
}

/// Returns the milliseconds since 1970, as the host reads them.
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let millis = since.expect("the clock is right").as_millis();
    u64::try_from(millis).expect("a date of our time")
}

/// Returns the result of a request that must be answered, because the host is running.
fn ok<T>(result: Result<T, String>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

fn survive(rounds: u64, loads: &[&dyn Load]) {
    let mut host = Host::start(
        Kind::Embedded,
        &trouble(env!("CARGO_BIN_EXE_embedded-trouble")),
    );
    let mut random = Random::new(7);
    let started = Instant::now();
    let mut total = 0;
    for round in 0..rounds {
        let client = host.client();
        let acknowledged = Acknowledged::default();
        // Each round kills it at another point of the work.
        let goal = 1 + random.below(if round % 4 == 0 { 30 } else { 500 });
        std::thread::scope(|scope| {
            for load in loads {
                for worker in 0..load.workers() {
                    let shift = Shift {
                        client: &client,
                        round,
                        worker,
                        acknowledged: &acknowledged,
                    };
                    scope.spawn(move || while load.work(&shift).is_ok() {});
                }
            }
            acknowledged.wait_for(goal);
            host.kill();
        });
        total += *acknowledged.count.lock().expect("no panic while locked");
        if round % 3 == 2 {
            // Killed during what a start repairs.
            host.restart_and_kill_after(Duration::from_millis(random.below(80)));
        }
        host.restart();
        let client = host.client();
        for load in loads {
            if let Err(loss) = load.check(&client, round) {
                panic!("round {round}, after {total} answers: {loss}");
            }
        }
    }
    for load in loads {
        if let Err(loss) = load.conclude(&host.client()) {
            panic!("after {rounds} rounds: {loss}");
        }
    }
    let (disk, files) = host.disk_use();
    println!(
        "{rounds} kills, {total} acknowledged answers, {} kB in {files} files: {:?}",
        disk / 1_000,
        started.elapsed()
    );
}

#[test]
fn counters_and_transactions_have_every_acknowledged_write_after_each_kill() {
    survive(
        rounds(5),
        &[
            &counters::Counters::default(),
            &transactions::Transactions::default(),
        ],
    );
}

#[test]
fn rooms_have_every_acknowledged_message_once_and_in_order_after_each_kill() {
    survive(rounds(5), &[&chat::Chat::default()]);
}

#[test]
fn locks_have_every_acknowledged_lease_and_never_two_after_each_kill() {
    survive(rounds(5), &[&locks::Locks::default()]);
}

#[test]
fn alarms_and_tasks_have_every_acknowledged_run_after_each_kill() {
    survive(
        rounds(5),
        &[&alarms::Alarms::default(), &tasks::Tasks::default()],
    );
}

#[test]
fn everything_together_is_there_after_each_kill() {
    survive(
        rounds(20),
        &[
            &counters::Counters::default(),
            &transactions::Transactions::default(),
            &chat::Chat::default(),
            &locks::Locks::default(),
            &alarms::Alarms::default(),
            &tasks::Tasks::default(),
        ],
    );
}
