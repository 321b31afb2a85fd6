//! Runs a scenario with its process ending at each step in turn.

use std::future::Future;

use super::faults::FaultKind;
use super::host::Sim;
use super::investigation::{assert_repeats, assert_same_until_fault};
use super::quiet::quietly;
use super::report::Report;
use super::run::{Disturbance, Outcome, Run, run_seed};

/// Runs the body undisturbed, twice. Then runs it with a crash at each step where the process can
/// end, which keeps all commits. Then runs it with a power failure at each of these steps, which
/// loses all that was not synced. Random faults cover the cases between those two. With `only`, no
/// other step is disturbed.
///
/// # Panics
/// Panics if the body does, if the process cannot end at the step `only`, or if two runs differ
/// that must be the same.
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
    let run_with = |disturbance: &Disturbance<'_>| run_seed(seed, disturbance, body);
    let report = |disturbance: &Disturbance<'_>, run: &Run<R>| {
        let again = quietly(|| run_with(disturbance));
        assert_repeats(seed, test, run, &again);
        eprintln!("{}", Report::new(seed, test, disturbance, run));
    };
    let undisturbed = run_with(&Disturbance::Nothing);
    if undisturbed.failure.is_some() {
        report(&Disturbance::Nothing, &undisturbed);
        return undisturbed.finish();
    }
    let again = run_with(&Disturbance::Nothing);
    assert_repeats(seed, test, &undisturbed, &again);
    let steps = match only {
        Some(step) => {
            assert!(
                undisturbed.endings.contains(&step),
                "ANCHORHOLD_STEP={step}: with seed {seed} the process cannot end at this step; set ANCHORHOLD_SEED and ANCHORHOLD_STEP as the report of the failure says"
            );
            vec![step]
        }
        None => undisturbed.endings.clone(),
    };
    for &step in &steps {
        for kind in [FaultKind::Crash, FaultKind::PowerFailure] {
            let disturbance = Disturbance::At(step, kind);
            let run = run_with(&disturbance);
            assert_same_until_fault(seed, test, &disturbance, &undisturbed, &run);
            if run.failure.is_some() {
                report(&disturbance, &run);
                return run.finish();
            }
        }
    }
    eprintln!(
        "{test}: a crash and a power failure at each of {} steps",
        steps.len()
    );
    undisturbed.finish()
}
