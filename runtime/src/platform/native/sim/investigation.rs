//! Investigates a failure by further runs of its seed: whether it recurs, and which kinds of fault
//! it needs.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::faults::FaultKind;
use super::quiet::quietly;
use super::report::Report;
use super::run::{Disturbance, Run};
use super::trace::Line;

/// The time limit for leaving out kinds of fault to find those that are needed.
const MOST_TIME: Duration = Duration::from_secs(10);

const CAUSES: &str = "something in the test or its objects does not come from the simulator: the system's clock, the order of a HashMap or HashSet, a thread, an address, randomness that is not `ctx.random`, a `select!` that is not `biased`, or a static that outlives a run";

/// Reports the failure of a run. The report shows a run of the same seed that fails in the same way
/// with as few kinds of fault as were found.
///
/// # Panics
/// Panics if the run cannot be repeated.
pub(super) fn investigate<R>(
    seed: u64,
    test: &str,
    disturbance: &Disturbance<'_>,
    run: &Run<R>,
    run_with: impl Fn(&Disturbance<'_>) -> Run<R>,
) {
    let quiet_run = |disturbance: &Disturbance<'_>| quietly(|| run_with(disturbance));
    let again = quiet_run(disturbance);
    assert_repeats(seed, test, run, &again);
    let found = fewer_kinds(disturbance, &again, quiet_run);
    let report = match &found {
        None => Report::new(seed, test, disturbance, run),
        Some(Found {
            disturbance,
            run,
            finding,
        }) => Report::new(seed, test, disturbance, run).with_finding(run, finding.clone()),
    };
    eprintln!("{report}");
}

/// A run that fails with fewer kinds of fault.
struct Found<'a, R> {
    disturbance: Disturbance<'a>,
    run: Run<R>,
    finding: String,
}

/// Leaves out all kinds of fault, then one kind at a time.
fn fewer_kinds<'a, R>(
    disturbance: &Disturbance<'a>,
    failed: &Run<R>,
    run_with: impl Fn(&Disturbance<'_>) -> Run<R>,
) -> Option<Found<'a, R>> {
    let &Disturbance::Faults { faults, only: None } = disturbance else {
        return None;
    };
    let start = Instant::now();
    let run_with_only = |only: BTreeSet<FaultKind>| {
        let disturbance = Disturbance::Faults {
            faults,
            only: Some(only),
        };
        let run = run_with(&disturbance);
        (run.failure.is_some() && run.place == failed.place).then_some((disturbance, run))
    };
    let injected = failed.injected.iter().map(|fault| fault.kind);
    let mut needed: BTreeSet<FaultKind> = injected.collect();
    if needed.is_empty() {
        return None;
    }
    if let Some((disturbance, run)) = run_with_only(BTreeSet::new()) {
        let finding = "it fails without any fault: this run has none".to_owned();
        return Some(Found {
            disturbance,
            run,
            finding,
        });
    }
    let mut best = None;
    let mut all_tried = true;
    // Kinds without which the run passes, found since the last kind that could be left out.
    let mut kept = BTreeSet::new();
    while needed.len() > 1
        && let Some(&kind) = needed.difference(&kept).next()
    {
        if start.elapsed() > MOST_TIME {
            all_tried = false;
            break;
        }
        let mut fewer = needed.clone();
        fewer.remove(&kind);
        match run_with_only(fewer.clone()) {
            Some(found) => {
                needed = fewer;
                best = Some(found);
                kept.clear();
            }
            None => {
                kept.insert(kind);
            }
        }
    }
    let kinds: Vec<String> = needed.iter().map(ToString::to_string).collect();
    let kinds = kinds.join(", ");
    let (disturbance, run) = best.or_else(|| run_with_only(needed))?;
    let finding = if all_tried {
        format!("kinds of fault that it needs: {kinds}")
    } else {
        format!("kinds of fault that it needs, or fewer: {kinds}")
    };
    Some(Found {
        disturbance,
        run,
        finding,
    })
}

/// # Panics
/// Panics if the two runs of the seed differ.
pub(super) fn assert_repeats<R>(seed: u64, test: &str, first: &Run<R>, second: &Run<R>) {
    let ends = match (&first.failure, &second.failure) {
        (None, Some(failure)) => {
            format!("seed {seed} of {test} passed, and failed when it was repeated: {failure}\n")
        }
        (Some(failure), None) => {
            format!("seed {seed} of {test} failed, and passed when it was repeated: {failure}\n")
        }
        _ => String::new(),
    };
    let difference = first_difference(&first.trace, &second.trace);
    if ends.is_empty() && difference.is_none() {
        return;
    }
    let difference = difference.map_or(String::new(), |difference| {
        format!("two runs of seed {seed} of {test} differ {difference}\n")
    });
    panic!("{ends}{difference}{CAUSES}");
}

/// # Panics
/// Panics if the fault did not happen in the run, or if the run differs from the undisturbed one
/// before the fault.
pub(super) fn assert_same_until_fault<R>(
    seed: u64,
    test: &str,
    disturbance: &Disturbance<'_>,
    undisturbed: &Run<R>,
    run: &Run<R>,
) {
    let fault = run.trace.iter().position(Line::is_fault);
    // The fault may fall into the event before it. That event is a commit that is not fully known
    // yet.
    let end = fault.map_or(usize::MAX, |at| at.saturating_sub(1));
    let until = |trace: &[Line]| trace[..trace.len().min(end)].to_vec();
    let difference = first_difference(&until(&undisturbed.trace), &until(&run.trace));
    if fault.is_some() && difference.is_none() {
        return;
    }
    let missing = match fault {
        Some(_) => "",
        None => "the fault did not happen\n",
    };
    let difference = difference.map_or(String::new(), |difference| {
        format!("the run differs from the undisturbed one {difference}\n")
    });
    panic!(
        "{} of {test}: {missing}{difference}{CAUSES}",
        disturbance.variables(seed)
    );
}

fn first_difference(first: &[Line], second: &[Line]) -> Option<String> {
    let at = first
        .iter()
        .zip(second)
        .position(|(one, other)| one != other)
        .or((first.len() != second.len()).then_some(first.len().min(second.len())))?;
    let (one, other) = (first.get(at), second.get(at));
    if let (Some(one), Some(other)) = (one, other)
        && one.has_event_of(other)
    {
        return Some(format!(
            "in the values behind event {at}, which are what is passed, answered or stored:\n  {one}"
        ));
    }
    let shown = |line: Option<&Line>| line.map_or_else(|| "nothing".to_owned(), Line::to_string);
    Some(format!(
        "from event {at} on:\n  first:  {}\n  second: {}",
        shown(one),
        shown(other)
    ))
}
