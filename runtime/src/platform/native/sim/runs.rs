//! Runs tests in the simulator: each seed, and each seed twice.

use std::collections::BTreeSet;
use std::future::Future;
use std::process::ExitCode;

use super::super::random::{Random, SplitMix};
use super::exhaustive::run_exhaustively;
use super::faults::{FaultKind, Faults};
use super::host::Sim;
use super::investigation::{assert_repeats, investigate};
use super::report::Report;
use super::run::{Disturbance, KINDS, NO_KINDS, Outcome, list_of, run_seed};
use super::sweep::Sweep;

/// The runs of a test.
#[derive(Debug, Default)]
pub struct Runs {
    /// The first seed. Without one, each run of the test has a new seed.
    pub seed: Option<u64>,
    /// The number of seeds.
    pub seeds: Option<u32>,
    /// The faults of each run.
    pub faults: Faults,
    /// Whether to run one seed with the process ending at each step in turn.
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

/// Calls [`run_test`] for a test that returns a `Result`. Prints an error as that of a `main` is
/// printed.
pub fn report_test<F, R>(
    runs: impl Into<Runs>,
    name: &'static str,
    body: impl Fn(Sim) -> F,
) -> ExitCode
where
    F: Future<Output = R>,
    R: Outcome,
{
    match run_test(runs, name, body).failure() {
        None => ExitCode::SUCCESS,
        Some(error) => {
            eprintln!("Error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs one test. `#[anchorhold::test]` expands to a call of it.
///
/// The first seed is the attribute's, unless `ANCHORHOLD_SEED` is set. That variable limits the
/// test to its one seed. `ANCHORHOLD_SEEDS` sets the number of seeds. A failure shows its seed and
/// the kinds of fault that it needs. `ANCHORHOLD_FAULTS` excludes all other kinds.
/// `ANCHORHOLD_STEP` limits an exhaustive test to disturbing this step. `ANCHORHOLD_TRACE=full`
/// shows the whole trace of a failure.
///
/// # Panics
/// Panics if the test does, if it waits for something that will not happen, or if two runs of one
/// seed differ. Panics if something that is pending does not happen after the faults have ended.
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
    // A run without faults is the same each time, and a test of one seed must be quick.
    let twice = seeds.is_some() || !faults.are_none();
    let disturbance = Disturbance::Faults {
        faults: &faults,
        only: kinds_given(),
    };
    let mut sweep = Sweep::new(test, count);
    let mut generator = SplitMix::new(first);
    let mut seed = first;
    loop {
        let run_with = |disturbance: &Disturbance<'_>| run_seed(seed, disturbance, &body);
        let run = run_with(&disturbance);
        sweep.note(&run);
        if run.failure.is_some() {
            if twice {
                investigate(seed, test, &disturbance, &run, run_with);
            } else {
                eprintln!("{}", Report::new(seed, test, &disturbance, &run));
            }
            sweep.finish();
            return run.finish();
        }
        if twice {
            assert_repeats(seed, test, &run, &run_with(&disturbance));
        }
        if sweep.is_done() {
            sweep.finish();
            return run.finish();
        }
        seed = generator.next();
        generator = SplitMix::new(seed);
    }
}

fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    match text.parse() {
        Ok(number) => Some(number),
        Err(_) => panic!("{name}={text} is not a number of up to 64 bits"),
    }
}

/// The only kinds of fault to inject, if the variable is set.
fn kinds_given() -> Option<BTreeSet<FaultKind>> {
    let text = std::env::var(KINDS).ok()?;
    if text == NO_KINDS {
        return Some(BTreeSet::new());
    }
    let kind = |name| match FaultKind::of_name(name) {
        Some(kind) => kind,
        None => panic!(
            "{KINDS}={text}: `{name}` is not a kind of fault; write `{NO_KINDS}`, or some of these with commas between them: {}",
            list_of(FaultKind::all())
        ),
    };
    Some(text.split(',').map(kind).collect())
}
