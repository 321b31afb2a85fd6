//! The report of a failure.

use std::fmt;

use super::run::{Disturbance, Run};
use super::trace::Line;

/// How many lines of the trace a failure shows.
const SHOWN_LINES: usize = 60;
/// With the value `full`, a failure shows the whole trace.
const TRACE: &str = "ANCHORHOLD_TRACE";

/// The report of a failed run.
pub(super) struct Report<'a> {
    seed: u64,
    test: &'a str,
    disturbance: &'a Disturbance<'a>,
    trace: &'a [Line],
    failure: String,
    /// The result of the investigation.
    finding: Option<String>,
}

impl<'a> Report<'a> {
    /// Reports a run whose panic, if any, has just been printed.
    pub(super) fn new<R>(
        seed: u64,
        test: &'a str,
        disturbance: &'a Disturbance<'a>,
        run: &'a Run<R>,
    ) -> Self {
        let failure = run.failure.as_deref().unwrap_or_default();
        let failure = match failure.split_once('\n') {
            Some((first, _)) if run.has_panicked() => format!("{first} …"),
            _ => failure.to_owned(),
        };
        Self {
            seed,
            test,
            disturbance,
            trace: &run.trace,
            failure,
            finding: None,
        }
    }

    /// Shows another run of the same seed. Its panic has not been printed.
    pub(super) fn with_finding<R>(mut self, run: &Run<R>, finding: String) -> Self {
        self.failure = run.failure.clone().unwrap_or_default();
        self.finding = Some(finding);
        self
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
            finding,
        } = self;
        let failure = disturbance.explain(failure);
        writeln!(formatter, "\nfailed with seed {seed}: {failure}")?;
        if let Some(finding) = finding {
            writeln!(formatter, "{finding}")?;
        }
        writeln!(
            formatter,
            "the same run again: {} cargo test {test}",
            disturbance.variables(*seed)
        )?;
        let skipped = if std::env::var(TRACE).is_ok_and(|shown| shown == "full") {
            0
        } else {
            trace.len().saturating_sub(SHOWN_LINES)
        };
        if skipped > 0 {
            writeln!(
                formatter,
                "… {skipped} events before; {TRACE}=full shows them"
            )?;
        }
        for line in &trace[skipped..] {
            writeln!(formatter, "{line}")?;
        }
        write!(
            formatter,
            "times are virtual seconds from the start of the run; `!!` marks an injected fault, `--` what the test does"
        )
    }
}
