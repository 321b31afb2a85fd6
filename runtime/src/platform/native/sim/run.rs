//! One run of a test in the simulator.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, LocalOptions};

use super::faults::{FaultKind, Faults};
use super::host::{PATIENCE, Sim};
use super::panics::message_of;
use super::quiet::place_of_last_panic;
use super::simulation::Injected;
use super::trace::Line;
use crate::error::fault::Fault;

/// How long, in virtual time, pending work has to happen after faults have ended.
const QUIET_PHASE: Duration = Duration::from_secs(60 * 60);
/// The variable that names the kinds of fault to inject.
pub(super) const KINDS: &str = "ANCHORHOLD_FAULTS";
/// Its value for no kinds.
pub(super) const NO_KINDS: &str = "none";

/// What a test body returns.
#[diagnostic::on_unimplemented(
    message = "a test cannot return `{Self}`",
    label = "neither `()` nor a `Result` whose error is `Debug`",
    note = "return nothing, or `Result<(), Error>`"
)]
pub trait Outcome {
    /// Why it failed, if it failed without a panic.
    fn failure(&self) -> Option<String>;
}

impl Outcome for () {
    fn failure(&self) -> Option<String> {
        None
    }
}

// The value inside counts, too, because Rust's own harness would check it in a plain test.
impl<T: Outcome, E: fmt::Debug> Outcome for Result<T, E> {
    fn failure(&self) -> Option<String> {
        match self {
            Ok(value) => value.failure(),
            Err(error) => Some(format!("{error:?}")),
        }
    }
}

/// The result of one run.
pub(super) struct Run<R> {
    result: thread::Result<R>,
    /// Why it failed, if it did: the message of a panic, or the error that was returned.
    pub(super) failure: Option<String>,
    /// Where it panicked, if that is known. See [`quietly`](super::quiet::quietly).
    pub(super) place: Option<String>,
    pub(super) trace: Vec<Line>,
    pub(super) injected: Vec<Injected>,
    /// The steps at which the process could have ended.
    pub(super) endings: Vec<u64>,
    pub(super) virtual_time: Duration,
}

impl<R> Run<R> {
    pub(super) fn finish(self) -> R {
        match self.result {
            Ok(result) => result,
            Err(panic) => resume_unwind(panic),
        }
    }

    pub(super) fn has_panicked(&self) -> bool {
        self.result.is_err()
    }
}

/// The faults of a run.
#[derive(Clone)]
pub(super) enum Disturbance<'a> {
    /// Random faults. With `only`, only these kinds.
    Faults {
        faults: &'a Faults,
        only: Option<BTreeSet<FaultKind>>,
    },
    /// No faults. Such a run precedes the runs with one fault.
    Nothing,
    /// One fault at this step. A power failure loses all that was not synced.
    At(u64, FaultKind),
}

impl Disturbance<'_> {
    fn is_none(&self) -> bool {
        match self {
            Self::Faults { faults, .. } => faults.are_none(),
            Self::Nothing => true,
            Self::At(..) => false,
        }
    }

    fn begin(&self, sim: &Sim) {
        match self {
            Self::Faults { faults, only } => {
                only.iter().for_each(|kinds| sim.inject_only(kinds));
                sim.set_faults((*faults).clone());
            }
            Self::Nothing => sim.keep_nothing_unsynced(),
            Self::At(step, kind) => {
                sim.keep_nothing_unsynced();
                sim.inject_at(*step, *kind);
            }
        }
    }

    /// Describes the failure, and what is known of its cause.
    pub(super) fn explain(&self, failure: &str) -> String {
        match self {
            Self::At(step, kind) => format!("with a {kind} at step {step}, {failure}"),
            Self::Faults { .. } | Self::Nothing => failure.to_owned(),
        }
    }

    /// The environment variables that repeat the run.
    pub(super) fn variables(&self, seed: u64) -> String {
        let seed = format!("ANCHORHOLD_SEED={seed}");
        match self {
            Self::Faults { only: None, .. } | Self::Nothing => seed,
            Self::Faults {
                only: Some(kinds), ..
            } => format!("{seed} {KINDS}={}", list_of(kinds.iter().copied())),
            Self::At(step, _) => format!("{seed} ANCHORHOLD_STEP={step}"),
        }
    }
}

pub(super) fn run_seed<F, R>(
    seed: u64,
    disturbance: &Disturbance<'_>,
    body: &impl Fn(Sim) -> F,
) -> Run<R>
where
    F: Future<Output = R>,
    R: Outcome,
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
    let start = runtime.block_on(async { tokio::time::Instant::now() });
    let result = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
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
            if result.failure().is_none() && disturbance.is_none() {
                if let Some(unfinished) = sim.unfinished(QUIET_PHASE).await {
                    panic!("{unfinished}");
                }
            } else if result.failure().is_none() {
                sim.tell("the test's body has ended, and so do the faults");
                sim.end_faults().await;
                if let Some(pending) = sim.still_pending(QUIET_PHASE).await {
                    panic!("an hour after the last fault, {pending}");
                }
            }
            // An invariant may have been violated since the body was last polled.
            if let Some(violation) = sim.violation() {
                panic!("{violation}");
            }
            result
        })
    }));
    let failure = match &result {
        Ok(result) => result.failure(),
        Err(panic) => Some(message_of(&**panic)),
    };
    let place = result.is_err().then(place_of_last_panic).flatten();
    let trace = sim.lines();
    let virtual_time = runtime.block_on(async { start.elapsed() });
    runtime.block_on(async {
        sim.0
            .shard
            .lose_memory(&Fault::Disconnected("the test is over".to_owned()));
    });
    Run {
        result,
        failure,
        place,
        trace,
        injected: sim.injected(),
        endings: sim.endings(),
        virtual_time,
    }
}

pub(super) fn list_of(kinds: impl IntoIterator<Item = FaultKind>) -> String {
    let names: Vec<String> = kinds.into_iter().map(FaultKind::name).collect();
    if names.is_empty() {
        NO_KINDS.to_owned()
    } else {
        names.join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failure_inside_a_result_is_one() {
        assert_eq!(Ok::<(), &str>(()).failure(), None);
        assert_eq!(
            Err::<(), _>("outer").failure().as_deref(),
            Some("\"outer\"")
        );
        let inside: Result<Result<(), &str>, &str> = Ok(Err("inner"));
        assert_eq!(inside.failure().as_deref(), Some("\"inner\""));
    }
}
