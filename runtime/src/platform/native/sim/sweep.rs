//! The progress of a test of many seeds.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use super::faults::FaultKind;
use super::run::Run;

/// How often a long sweep prints its progress.
const PROGRESS: Duration = Duration::from_secs(5);

/// Prints the progress of a sweep over many seeds. `cargo xtask sim` reads the line printed at the
/// end.
pub(super) struct Sweep<'a> {
    test: &'a str,
    count: u64,
    done: u64,
    turns: usize,
    faults: BTreeMap<FaultKind, u64>,
    virtual_time: Duration,
    start: Instant,
    told: Instant,
}

impl<'a> Sweep<'a> {
    pub(super) fn new(test: &'a str, count: u64) -> Self {
        let now = Instant::now();
        Self {
            test,
            count,
            done: 0,
            turns: 0,
            faults: BTreeMap::new(),
            virtual_time: Duration::ZERO,
            start: now,
            told: now,
        }
    }

    pub(super) fn note<R>(&mut self, run: &Run<R>) {
        self.done += 1;
        self.turns += run.trace.iter().filter(|line| line.is_turn()).count();
        for fault in &run.injected {
            *self.faults.entry(fault.kind).or_default() += 1;
        }
        self.virtual_time += run.virtual_time;
        if self.told.elapsed() > PROGRESS {
            self.told = Instant::now();
            eprintln!("{self}");
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.done >= self.count
    }

    pub(super) fn finish(&self) {
        if self.count == 1 {
            return;
        }
        let faults: Vec<String> = self
            .faults
            .iter()
            .map(|(kind, count)| format!("{kind} {count}"))
            .collect();
        eprintln!("{self}; faults: {}", faults.join(", "));
    }
}

impl fmt::Display for Sweep<'_> {
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.start.elapsed().as_secs_f64();
        write!(
            formatter,
            "{}: {} of {} seeds, {} turns, {:.1} virtual hours in {seconds:.1} s ({:.0} seeds a second)",
            self.test,
            self.done,
            self.count,
            self.turns,
            self.virtual_time.as_secs_f64() / 3_600.0,
            self.done as f64 / seconds.max(0.001),
        )
    }
}
