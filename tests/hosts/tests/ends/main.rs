//! The end of one object does not affect others. After any kind of end, all callers waiting
//! elsewhere are answered in bounded time, other objects keep their writes, and the next call
//! works.

mod causes;
mod poisoned;
mod waiters;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Scope;
use std::time::{Duration, Instant};

use causes::{Cause, causes};
use host_tests::{Client, Host, Kind, trouble};
use waiters::Waiters;

/// How long an answer may take. The waiters wait for 2 s on purpose, and the machine may be busy.
const BOUND: Duration = Duration::from_secs(30);

fn start(kind: Kind) -> Host {
    Host::start(kind, &trouble(env!("CARGO_BIN_EXE_embedded-trouble")))
}

/// The failures, collected so that one run shows all of them.
#[derive(Default)]
struct Complaints(Vec<String>);

impl Complaints {
    fn add(&mut self, complaint: impl Into<String>) {
        self.0.push(complaint.into());
    }

    fn check<T>(&mut self, result: Result<T, String>) -> Option<T> {
        result.map_err(|complaint| self.add(complaint)).ok()
    }
}

/// Requests that keep arriving, so that the next instance is working before the last one's waiters
/// are told.
struct Arriving(Arc<AtomicBool>);

impl Arriving {
    const CLIENTS: usize = 4;

    fn start<'scope>(scope: &'scope Scope<'scope, '_>, client: &Client) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        for _ in 0..Self::CLIENTS {
            let (client, is_over) = (client.clone(), is_over.clone());
            scope.spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    let _ = client.send("GET", "/sleep?ms=1", &[], None);
                }
            });
        }
        Self(is_over)
    }

    fn stop(self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Lets objects and handlers wait, causes an end beside them, and checks the results.
fn try_out(host: &mut Host, cause: &Cause) -> Vec<String> {
    let kind = host.kind();
    let client = host.client().within(BOUND);
    let mut complaints = Complaints::default();
    let waiters = Waiters::prepare(&client, cause.name);
    std::thread::scope(|scope| {
        let waiting = waiters.start(scope, &client);
        let arriving = Arriving::start(scope, &client);
        let caused = Instant::now();
        for answer in cause.bring_about(&client) {
            complaints.check(cause.judge_answer(kind, answer));
        }
        let took = caused.elapsed();
        arriving.stop();
        if took >= BOUND {
            complaints.add(format!("who caused it waited for {took:?}"));
        }
        for outcome in waiting.outcomes() {
            complaints.check(outcome.judge(kind));
        }
    });
    if !host.is_alive() {
        complaints.add("the process ended");
        host.kill();
        host.restart();
    }
    let client = host.client().within(BOUND);
    for unharmed in waiters.unharmed(&client) {
        complaints.check(unharmed);
    }
    complaints.check(cause.judge_next_call(&client));
    complaints.check(is_healthy(&client));
    let complaints = complaints.0.into_iter();
    complaints
        .map(|complaint| format!("{kind}, {}: {complaint}", cause.name))
        .collect()
}

fn is_healthy(client: &Client) -> Result<(), String> {
    let asked = Instant::now();
    let answer = client.send("GET", "/healthz", &[], None)?;
    let took = asked.elapsed();
    if answer.status == 200 && took < Duration::from_secs(5) {
        return Ok(());
    }
    Err(format!("/healthz: {} after {took:?}", answer.status))
}

fn every_end(kind: Kind) {
    let mut host = start(kind);
    let mut complaints = Vec::new();
    let only = std::env::var("ANCHORHOLD_ENDS").unwrap_or_default();
    for cause in causes() {
        if cause.happens_on(kind) && cause.name.contains(&only) {
            let tried = catch_unwind(AssertUnwindSafe(|| try_out(&mut host, &cause)));
            let found = tried.unwrap_or_else(|panic| {
                // The host is in a wrong state, so the next cause gets a new process.
                host.kill();
                host.restart();
                let message = panic.downcast_ref::<String>().cloned().unwrap_or_default();
                vec![format!("{kind}, {}: {message}", cause.name)]
            });
            println!("{kind}: {}: {} complaints", cause.name, found.len());
            complaints.extend(found);
        }
    }
    assert!(
        complaints.is_empty(),
        "{} complaints:\n{}",
        complaints.len(),
        complaints.join("\n")
    );
}

#[test]
fn no_end_of_an_object_is_anothers_on_the_embedded_host() {
    every_end(Kind::Embedded);
}

#[test]
fn no_end_of_an_object_is_anothers_on_workerd() {
    every_end(Kind::Workerd);
}
