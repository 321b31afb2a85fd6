//! Says why a history is not linearizable, for a reader who has never seen such a report.

use std::fmt::{self, Debug, Display, Write};

use super::history::{Operation, Outcome};
use crate::time::Timestamp;

/// At most so many of the last placed operations are shown.
const SHOWN_STEPS: usize = 8;
/// At most so many operations that overlap are shown.
const SHOWN_OVERLAPS: usize = 12;

/// Why [`History::check`](super::History::check) found no order.
///
/// `Debug` prints the report too, so that `unwrap` in a test shows it.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotLinearizable {
    /// No order of the operations explains every response.
    #[error("{0}")]
    Violation(Box<Violation>),
    /// The search reached its bound. The history may be linearizable or not.
    #[error("{0}")]
    Undecided(Undecided),
}

impl Debug for NotLinearizable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, formatter)
    }
}

impl From<Violation> for NotLinearizable {
    fn from(violation: Violation) -> Self {
        Self::Violation(Box::new(violation))
    }
}

impl From<Undecided> for NotLinearizable {
    fn from(undecided: Undecided) -> Self {
        Self::Undecided(undecided)
    }
}

/// The check was given up at its bound.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "undecided{}: after {limit} configurations, orders were found for the first {explained} of \
     {of} responses. Use fewer clients or operations, or shorter faults; or raise the bound with \
     `check_within`",
    in_part(part)
)]
pub struct Undecided {
    pub(super) part: String,
    pub(super) explained: usize,
    pub(super) of: usize,
    pub(super) limit: usize,
}

/// A response that no order explains; its `Display` text is the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    operation: usize,
    report: String,
}

impl Violation {
    /// The operation whose response cannot be explained: its index in
    /// [`History::operations`](super::History::operations). The history up to its end is the
    /// shortest beginning that is not linearizable.
    #[must_use]
    pub fn operation(&self) -> usize {
        self.operation
    }
}

impl Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.report)
    }
}

fn in_part(part: &str) -> String {
    if part.is_empty() {
        String::new()
    } else {
        format!(" in part {part}")
    }
}

/// Where the search ended.
pub(super) struct Stuck {
    /// The operation that could not be placed.
    pub blocked: usize,
    pub initial: String,
    /// The operations placed before, and the state after each.
    pub order: Vec<(usize, String)>,
    /// States in which it could not be placed.
    pub states: Vec<String>,
}

impl Violation {
    /// `part` has the name and the operations of the part that was searched.
    pub(super) fn new<Op: Debug, Output: Debug>(
        operations: &[Operation<Op, Output>],
        indices: &[usize],
        part: &str,
        stuck: &Stuck,
    ) -> Self {
        let report = Report {
            operations,
            start: operations.first().and_then(|first| first.began_at),
        };
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = report.write(&mut text, indices, part, stuck);
        Self {
            operation: stuck.blocked,
            report: text,
        }
    }
}

struct Report<'a, Op, Output> {
    operations: &'a [Operation<Op, Output>],
    /// Times are told from here.
    start: Option<Timestamp>,
}

impl<Op: Debug, Output: Debug> Report<'_, Op, Output> {
    fn write(
        &self,
        text: &mut String,
        indices: &[usize],
        part: &str,
        stuck: &Stuck,
    ) -> fmt::Result {
        let blocked = &self.operations[stuck.blocked];
        writeln!(
            text,
            "not linearizable{}: no order of the operations explains this response\n\n    {}{}\n",
            in_part(part),
            self.line(stuck.blocked),
            self.times(blocked),
        )?;
        self.write_order(text, stuck)?;
        match &stuck.states[..] {
            [state] => writeln!(text, "In the state {state} that response is not allowed.\n")?,
            states => {
                writeln!(
                    text,
                    "Other orders lead to other states. It is allowed in none of:\n"
                )?;
                for state in states {
                    writeln!(text, "    {state}")?;
                }
                writeln!(text)?;
            }
        }
        self.write_overlaps(text, indices, stuck.blocked)
    }

    fn write_order(&self, text: &mut String, stuck: &Stuck) -> fmt::Result {
        if stuck.order.is_empty() {
            return writeln!(
                text,
                "It is the first. The model begins in {}.\n",
                stuck.initial
            );
        }
        let skipped = stuck.order.len().saturating_sub(SHOWN_STEPS);
        write!(text, "An order that explains the responses before it")?;
        if skipped > 0 {
            write!(
                text,
                " (the last {SHOWN_STEPS} of {} operations)",
                stuck.order.len()
            )?;
        }
        writeln!(text, ":\n")?;
        let shown = &stuck.order[skipped..];
        let lines: Vec<String> = shown.iter().map(|(index, _)| self.line(*index)).collect();
        let width = longest(&lines);
        for (line, (_, state)) in lines.iter().zip(shown) {
            writeln!(text, "    {line:width$}  state {state}")?;
        }
        writeln!(text)
    }

    /// A drawing of what overlaps with the operation that cannot be placed.
    fn write_overlaps(&self, text: &mut String, indices: &[usize], blocked: usize) -> fmt::Result {
        let end = self.operations[blocked].ended;
        let began = self.operations[blocked].began;
        let overlapping: Vec<usize> = indices
            .iter()
            .copied()
            .filter(|&index| {
                let operation = &self.operations[index];
                Some(operation.began) < end
                    && self.effective_end(index).is_none_or(|end| end > began)
            })
            .collect();
        if overlapping.len() == 1 {
            return writeln!(text, "No other operation overlaps with it.");
        }
        // The last that began are the likeliest to matter.
        let skipped = overlapping.len().saturating_sub(SHOWN_OVERLAPS);
        let shown = &overlapping[skipped..];
        writeln!(
            text,
            "Operations that overlap with it, as time goes from left to right:\n"
        )?;
        if skipped > 0 {
            writeln!(text, "    … {skipped} that began earlier")?;
        }
        let mut columns: Vec<usize> = shown
            .iter()
            .flat_map(|&index| {
                [
                    Some(self.operations[index].began),
                    self.effective_end(index),
                ]
            })
            .flatten()
            .chain(end)
            .filter(|&event| Some(event) <= end)
            .collect();
        columns.sort_unstable();
        columns.dedup();
        for &index in shown {
            let mark = if index == blocked { ">" } else { " " };
            let bar = self.bar(index, &columns);
            writeln!(text, "  {mark} {bar}  {}", self.line(index))?;
        }
        Ok(())
    }

    /// When the operation can no longer take effect.
    fn effective_end(&self, index: usize) -> Option<usize> {
        let operation = &self.operations[index];
        match operation.outcome {
            Outcome::Unknown(_) => None,
            Outcome::Returned(_) | Outcome::Failed(_) => operation.ended,
        }
    }

    fn bar(&self, index: usize, columns: &[usize]) -> String {
        let began = self.operations[index].began;
        let end = self.effective_end(index);
        columns
            .iter()
            .map(|&event| match event {
                _ if event < began => "  ",
                _ if event == began => "├─",
                _ if end.is_none_or(|end| event < end) => "──",
                _ if Some(event) == end => "┤ ",
                _ => "  ",
            })
            .collect()
    }

    fn line(&self, index: usize) -> String {
        let Operation {
            client,
            op,
            outcome,
            ..
        } = &self.operations[index];
        match outcome {
            Outcome::Returned(output) => format!("{client}: {op:?} -> {output:?}"),
            Outcome::Failed(why) => format!("{client}: {op:?} did not run ({why})"),
            Outcome::Unknown(why) => format!("{client}: {op:?} may have run ({why})"),
        }
    }

    fn times(&self, operation: &Operation<Op, Output>) -> String {
        let (Some(start), Some(began), Some(ended)) =
            (self.start, operation.began_at, operation.ended_at)
        else {
            return String::new();
        };
        let seconds = |time: Timestamp| (time - start).as_secs_f64();
        format!(
            "  (from {:.3} s to {:.3} s)",
            seconds(began),
            seconds(ended)
        )
    }
}

fn longest(lines: &[String]) -> usize {
    lines
        .iter()
        .map(|line| line.chars().count())
        .max()
        .unwrap_or_default()
}
