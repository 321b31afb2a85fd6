//! A scenario with its process ending at each step in turn.

use std::future::Future;

use super::Sim;
use super::faults::{FaultKind, Faults};
use super::run::{Disturbance, Outcome, Report, Run, run_seed};

/// Runs the body undisturbed; then with a crash at each step where the process can end, which keeps
/// all that was committed; then with a power failure there, which loses all that was not synced. Between
/// those two is what random faults look for. With `only`, no other step is disturbed.
///
/// # Panics
/// As the body does; when the process cannot end at the step `only`.
pub(super) fn run_exhaustively<F, R>(
    seed: u64,
    only: Option<u64>,
    test: &str,
    body: &impl Fn(Sim) -> F,
) -> R
where
    F: Future<Output = R>,
    R: Outcome,
{
    let nothing = Faults::none();
    let run_with = |disturbance: Disturbance<'_>| {
        let run: Run<R> = run_seed(seed, test, disturbance, body);
        if let Some(failure) = run.result.failure() {
            eprintln!(
                "{}",
                Report::new(seed, test, disturbance, &run.trace, &failure)
            );
        }
        run
    };
    let undisturbed = run_with(Disturbance::Faults(&nothing));
    if undisturbed.result.failure().is_some() {
        return undisturbed.result;
    }
    let steps = match only {
        Some(step) => {
            assert!(
                undisturbed.endings.contains(&step),
                "ANCHORHOLD_STEP={step}: with seed {seed} the process cannot end at this step; set ANCHORHOLD_SEED and ANCHORHOLD_STEP as the report of the failure says"
            );
            vec![step]
        }
        None => undisturbed.endings,
    };
    for &step in &steps {
        for kind in [FaultKind::Crash, FaultKind::PowerFailure] {
            let run = run_with(Disturbance::At(step, kind));
            if run.result.failure().is_some() {
                return run.result;
            }
        }
    }
    eprintln!(
        "{test}: a crash and a power failure at each of {} steps",
        steps.len()
    );
    undisturbed.result
}
