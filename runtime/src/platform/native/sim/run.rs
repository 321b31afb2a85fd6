//! Running tests in the simulator: each seed, each seed twice, and what is told of a failure.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, LocalOptions};

use super::super::random::{Random, SplitMix};
use super::exhaustive::run_exhaustively;
use super::faults::{FaultKind, Faults};
use super::{PATIENCE, START_MS, Sim};
use crate::fault::Fault;

/// How long, in virtual time, everything that is pending has to happen when faults have ended.
const QUIET_PHASE: Duration = Duration::from_secs(60 * 60);
/// Lines of the trace that a failure shows.
const SHOWN_LINES: usize = 60;
/// How often a long sweep tells how far it is.
const PROGRESS: Duration = Duration::from_secs(5);

/// Which runs a test has.
#[derive(Debug, Default)]
pub struct Runs {
    /// The first seed; without one, each run of the test has another.
    pub seed: Option<u64>,
    /// How many seeds.
    pub seeds: Option<u32>,
    /// What goes wrong in each run.
    pub faults: Faults,
    /// One seed, with the process ending at each step in turn.
    pub exhaustive: bool,
}

impl From<Option<u64>> for Runs {
    fn from(seed: Option<u64>) -> Self {
        Self {
            seed,
            ..Self::default()
        }
    }
}

/// What a test body returns.
pub trait Outcome {
    /// Why it failed, if it did without a panic.
    fn failure(&self) -> Option<String>;
}

impl Outcome for () {
    fn failure(&self) -> Option<String> {
        None
    }
}

impl<T, E: fmt::Debug> Outcome for Result<T, E> {
    fn failure(&self) -> Option<String> {
        self.as_ref().err().map(|error| format!("{error:?}"))
    }
}

/// Runs one test; `#[anchorhold::test]` expands to a call of it.
///
/// The first seed is the attribute's, unless `ANCHORHOLD_SEED` is set, which also means: this one
/// only. `ANCHORHOLD_SEEDS` says how many. A failure tells its seed. `ANCHORHOLD_STEP` has an
/// exhaustive test disturb this step only.
///
/// # Panics
/// As the test does; when it waits for something that will not happen; when two runs of one seed
/// differ; when something that is pending does not happen after the faults have ended.
pub fn run_test<F, R>(runs: impl Into<Runs>, name: &'static str, body: impl Fn(Sim) -> F) -> R
where
    F: Future<Output = R>,
    R: Outcome,
{
    let Runs {
        seed,
        seeds,
        faults,
        exhaustive,
    } = runs.into();
    let test = name.split_once("::").map_or(name, |(_, path)| path);
    let given = variable("ANCHORHOLD_SEED");
    let count = match given {
        Some(_) => 1,
        None => variable("ANCHORHOLD_SEEDS")
            .filter(|_| seeds.is_some())
            .unwrap_or(u64::from(seeds.unwrap_or(1)))
            .max(1),
    };
    let first = given
        .or(seed)
        .unwrap_or_else(|| u64::from_le_bytes(Random::System.bytes()));
    if exhaustive {
        return run_exhaustively(first, variable("ANCHORHOLD_STEP"), test, &body);
    }
    // One that nothing is done to is the same each time, and a test of one seed has to be quick.
    let twice = seeds.is_some() || !faults.are_none();
    let mut sweep = Sweep::new(test, count);
    let mut generator = SplitMix::new(first);
    let mut seed = first;
    loop {
        let disturbance = Disturbance::Faults(&faults);
        let run = run_seed(seed, test, disturbance, &body);
        if twice {
            let again = run_seed(seed, test, disturbance, &body);
            assert_same(seed, test, &run.trace, &again.trace);
        }
        sweep.note(&run);
        if sweep.is_done() || run.result.failure().is_some() {
            if let Some(failure) = run.result.failure() {
                eprintln!(
                    "{}",
                    Report::new(seed, test, disturbance, &run.trace, &failure)
                );
            }
            sweep.finish();
            return run.result;
        }
        seed = generator.next();
        generator = SplitMix::new(seed);
    }
}

pub(super) struct Run<R> {
    pub(super) result: R,
    pub(super) trace: Vec<String>,
    faults: Vec<FaultKind>,
    /// The steps at which the process could have ended.
    pub(super) endings: Vec<u64>,
    virtual_time: Duration,
}

/// What goes wrong in a run.
#[derive(Clone, Copy)]
pub(super) enum Disturbance<'a> {
    /// At random.
    Faults(&'a Faults),
    /// Once, at this step. A power failure loses all that was not synced.
    At(u64, FaultKind),
}

impl Disturbance<'_> {
    fn is_none(self) -> bool {
        match self {
            Self::Faults(faults) => faults.are_none(),
            Self::At(..) => false,
        }
    }

    fn begin(self, sim: &Sim) {
        match self {
            Self::Faults(faults) => sim.set_faults(faults.clone()),
            Self::At(step, kind) => {
                sim.keep_nothing_unsynced();
                sim.inject_at(step, kind);
            }
        }
    }

    /// The failure, and what is known of its cause.
    fn explain(self, failure: &str) -> String {
        match self {
            Self::Faults(_) => failure.to_owned(),
            Self::At(step, kind) => format!("with a {kind} at step {step}, {failure}"),
        }
    }

    /// What has a test repeat the run.
    fn variables(self, seed: u64) -> String {
        match self {
            Self::Faults(_) => format!("ANCHORHOLD_SEED={seed}"),
            Self::At(step, _) => format!("ANCHORHOLD_SEED={seed} ANCHORHOLD_STEP={step}"),
        }
    }
}

pub(super) fn run_seed<F, R>(
    seed: u64,
    test: &str,
    disturbance: Disturbance<'_>,
    body: &impl Fn(Sim) -> F,
) -> Run<R>
where
    F: Future<Output = R>,
{
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build_local(LocalOptions::default());
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => panic!("the simulator's runtime cannot be made: {error}"),
    };
    let sim = match runtime.block_on(async { Sim::new(seed) }) {
        Ok(sim) => sim,
        Err(error) => panic!("the simulator's disk cannot be made: {error}"),
    };
    let ran = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            let start = tokio::time::Instant::now();
            disturbance.begin(&sim);
            let result = tokio::select! {
                biased;
                violation = sim.violated() => panic!("{violation}"),
                result = body(sim.clone()) => result,
                () = sim.lose_patience() => panic!(
                    "the test waited {} hours of virtual time for something that does not happen{}",
                    PATIENCE.as_secs() / 3_600,
                    sim.at_work().map(|at_work| format!(": {at_work}")).unwrap_or_default(),
                ),
            };
            if disturbance.is_none() {
                if let Some(unfinished) = sim.unfinished(QUIET_PHASE).await {
                    panic!("{unfinished}");
                }
            } else {
                sim.heal().await;
                if let Some(pending) = sim.still_pending(QUIET_PHASE).await {
                    panic!("an hour after the last fault, {pending}");
                }
            }
            // Since the body was polled last.
            if let Some(violation) = sim.violation() {
                panic!("{violation}");
            }
            (result, start.elapsed())
        })
    }));
    let trace = sim.trace();
    let faults = sim.injected().iter().map(|fault| fault.kind).collect();
    let endings = sim.endings();
    runtime.block_on(async {
        sim.0
            .shard
            .lose_memory(&Fault::Disconnected("the test is over".to_owned()));
    });
    match ran {
        Ok((result, virtual_time)) => Run {
            result,
            trace,
            faults,
            endings,
            virtual_time,
        },
        Err(panic) => {
            let failure = message_of(&*panic);
            eprintln!("{}", Report::new(seed, test, disturbance, &trace, &failure));
            resume_unwind(panic)
        }
    }
}

/// What a panic says.
pub(super) fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("it panicked")
        .to_owned()
}

/// What is told of a failed run.
pub(super) struct Report<'a> {
    seed: u64,
    test: &'a str,
    disturbance: Disturbance<'a>,
    trace: &'a [String],
    failure: &'a str,
}

impl<'a> Report<'a> {
    pub(super) fn new(
        seed: u64,
        test: &'a str,
        disturbance: Disturbance<'a>,
        trace: &'a [String],
        failure: &'a str,
    ) -> Self {
        Self {
            seed,
            test,
            disturbance,
            trace,
            failure,
        }
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seed,
            test,
            disturbance,
            trace,
            failure,
        } = self;
        let failure = disturbance.explain(failure);
        writeln!(formatter, "\nfailed with seed {seed}: {failure}")?;
        writeln!(
            formatter,
            "the same run again: {} cargo test {test}",
            disturbance.variables(*seed)
        )?;
        let skipped = trace.len().saturating_sub(SHOWN_LINES);
        if skipped > 0 {
            writeln!(formatter, "… {skipped} events before")?;
        }
        for line in &trace[skipped..] {
            writeln!(formatter, "{}", since_start(line))?;
        }
        write!(
            formatter,
            "times are seconds by the simulated clock, from the start of the run; `!!` marks an injected fault"
        )
    }
}

/// A line of the trace, with a time that people can read.
#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn since_start(line: &str) -> String {
    let read = |(millis, event): (&str, &str)| {
        let millis: i64 = millis.parse().ok()?;
        let seconds = (millis - START_MS) as f64 / 1_000.0;
        Some(format!("{seconds:>9.3}  {event}"))
    };
    let shown = line.split_once(' ').and_then(read);
    shown.unwrap_or_else(|| line.to_owned())
}

fn assert_same(seed: u64, test: &str, first: &[String], second: &[String]) {
    let differs = first
        .iter()
        .zip(second)
        .position(|(one, other)| one != other)
        .or((first.len() != second.len()).then_some(first.len().min(second.len())));
    let Some(at) = differs else { return };
    let line = |trace: &[String]| trace.get(at).map_or("nothing", |line| line).to_owned();
    panic!(
        "two runs of seed {seed} of {test} differ from event {at} on:\n  first:  {}\n  second: {}\nsomething in the test or its objects does not come from the simulator: the order of a HashMap, the system's clock, a thread, randomness that is not `ctx.random`, or a static that outlives a run",
        line(first),
        line(second),
    );
}

/// Tells how far a sweep over many seeds is. `cargo xtask sim` reads what it says at the end.
struct Sweep<'a> {
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
    fn new(test: &'a str, count: u64) -> Self {
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

    fn note<R>(&mut self, run: &Run<R>) {
        self.done += 1;
        self.turns += run.trace.iter().filter(|line| is_turn(line)).count();
        for kind in &run.faults {
            *self.faults.entry(*kind).or_default() += 1;
        }
        self.virtual_time += run.virtual_time;
        if self.told.elapsed() > PROGRESS {
            self.told = Instant::now();
            eprintln!("{self}");
        }
    }

    fn is_done(&self) -> bool {
        self.done >= self.count
    }

    fn finish(&self) {
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

fn is_turn(line: &str) -> bool {
    let event = line.split_once(' ').map(|(_, event)| event);
    event.is_some_and(|event| event.starts_with("start "))
}

fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    match text.parse() {
        Ok(number) => Some(number),
        Err(_) => panic!("{name}={text} is not a number of up to 64 bits"),
    }
}
