//! More load than the embedded host can take. It refuses with correct errors, keeps its memory
//! bounded, serves other clients, and recovers.
//!
//! The load is small in the suite. `ANCHORHOLD_FULL_LOAD=1` makes the full load. The figures are
//! printed.

mod alarms;
mod answers;
mod connections;
mod descriptors;
mod mailbox;
mod names;
mod sockets;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use host_tests::{Client, Host, Kind, load, megabytes, trouble};

/// `/healthz` is promised to answer within a second. In the suite, other tests run on the same
/// cores.
fn healthy() -> Duration {
    Duration::from_secs(load(5, 2) as u64)
}

const PATIENCE: Duration = Duration::from_secs(60);

fn start(kind: Kind) -> Host {
    Host::start(kind, &trouble(env!("CARGO_BIN_EXE_embedded-trouble")))
}

fn resident(host: &Host) -> u64 {
    host.resident_memory().expect("/proc tells it")
}

/// Observations of the host while it was under load.
#[derive(Debug, Default)]
struct Watched {
    slowest: Duration,
    peak: u64,
    checks: u32,
    failures: Vec<String>,
}

impl Watched {
    #[track_caller]
    fn assert_healthy(&self, what: &str) {
        println!(
            "{what}: /healthz within {:?} in {} checks, at most {} MB of memory",
            self.slowest,
            self.checks,
            megabytes(self.peak)
        );
        assert!(self.failures.is_empty(), "{what}: {:?}", self.failures);
        assert!(
            self.slowest < healthy(),
            "{what}: /healthz took {:?}",
            self.slowest
        );
    }
}

/// Requests `/healthz` repeatedly and records the memory until the load ends.
fn watch<T>(host: &Host, act: impl FnOnce() -> T) -> (T, Watched) {
    let client = host.client().within(PATIENCE);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let mut watched = Watched::default();
            while !over.load(Ordering::SeqCst) || watched.checks == 0 {
                look(host, &client, &mut watched);
                std::thread::sleep(Duration::from_millis(50));
            }
            watched
        });
        let ended = EndOfLoad(&over);
        let result = act();
        drop(ended);
        (result, watching.join().expect("the watch goes on"))
    })
}

/// Ends the watch, even if the load panics.
struct EndOfLoad<'a>(&'a AtomicBool);

impl Drop for EndOfLoad<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn look(host: &Host, client: &Client, watched: &mut Watched) {
    let asked = Instant::now();
    match client.send("GET", "/healthz", &[], None) {
        Ok(answer) if answer.status == 200 => {}
        Ok(answer) => watched.failures.push(answer.text()),
        Err(error) => watched.failures.push(error),
    }
    watched.checks += 1;
    watched.slowest = watched.slowest.max(asked.elapsed());
    watched.peak = watched.peak.max(resident(host));
}
