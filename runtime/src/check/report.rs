//! Explains why a history is not linearizable, to readers who do not know such reports.

use std::fmt::{self, Debug, Display};

use super::operation::{Operation, Outcome};
use super::search::response;
use crate::time::Timestamp;

/// The maximum number of last placed operations that are shown.
const SHOWN_STEPS: usize = 8;
/// The maximum number of overlapping operations that are shown.
const SHOWN_OVERLAPS: usize = 12;
/// The maximum number of characters of a state that are shown.
const SHOWN_STATE: usize = 120;

/// The reason why [`History::check`](super::History::check) found no order.
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

/// The check was stopped at its bound.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "undecided{}: after {limit} configurations, orders were found for the first {explained} of \
     {of} responses. Record fewer operations at once, or fewer with unknown outcomes, or raise the \
     bound with `check_within`",
    in_part(part)
)]
pub struct Undecided {
    pub(super) part: String,
    pub(super) explained: usize,
    pub(super) of: usize,
    pub(super) limit: usize,
}

/// A response that no order explains. Its `Display` text is the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    operation: usize,
    report: String,
}

impl Violation {
    /// Returns the operation whose response cannot be explained, as its index in
    /// [`History::operations`](super::History::operations). The history up to its end is the
    /// shortest prefix that is not linearizable. If the search for a shorter one reached its bound,
    /// the report says so.
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

/// The response that cannot be explained, and an order that explains the others.
pub(super) struct Blamed {
    /// The operation whose response no order explains.
    pub operation: usize,
    /// `true` if `order` explains every response that ended before it, so that it is the first.
    pub is_first: bool,
    pub initial: String,
    /// The operations of an order, and the state after each.
    pub order: Vec<(usize, String)>,
}

impl Violation {
    /// `members` are the operations of the part with the name `part`.
    pub(super) fn new<Op: Debug, Output: Debug>(
        operations: &[Operation<Op, Output>],
        members: &[usize],
        part: &str,
        blamed: &Blamed,
    ) -> Self {
        let report = Report {
            operations,
            members,
            blamed,
            until: operations[blamed.operation].ended.unwrap_or(usize::MAX),
        };
        Self {
            operation: blamed.operation,
            report: report.text(part),
        }
    }
}

struct Report<'a, Op, Output> {
    operations: &'a [Operation<Op, Output>],
    members: &'a [usize],
    blamed: &'a Blamed,
    /// The end of the blamed operation. Later events do not matter.
    until: usize,
}

impl<Op: Debug, Output: Debug> Report<'_, Op, Output> {
    fn text(&self, part: &str) -> String {
        format!(
            "the history{} is not linearizable: no order of its operations explains this response\n\
             \n    {}\n\n{}{}\n\n{}\n\n{}\n",
            in_part(part),
            self.line(self.blamed.operation),
            if self.blamed.is_first {
                ""
            } else {
                "An earlier response may be wrong too: the search for it reached its bound.\n\n"
            },
            self.order(),
            self.conclusion(),
            self.overlaps()
        )
    }

    fn order(&self) -> String {
        let Blamed { order, initial, .. } = self.blamed;
        if order.is_empty() {
            return format!("The model begins in the state {}.", shortened(initial));
        }
        let explains = if self.blamed.is_first {
            "An order that explains every response before it"
        } else {
            "The best order that was found for the responses before it"
        };
        let hidden = order.len().saturating_sub(SHOWN_STEPS);
        let part = if hidden > 0 {
            format!(" (the last {SHOWN_STEPS} of {} operations)", order.len())
        } else {
            String::new()
        };
        let shown = &order[hidden..];
        let lines: Vec<String> = shown
            .iter()
            .map(|&(index, _)| self.line_in_order(index))
            .collect();
        let width = longest(&lines);
        let mut before = None;
        let rows: Vec<String> = lines
            .iter()
            .zip(shown)
            .map(|(line, (_, state))| {
                if before.replace(state) == Some(state) {
                    format!("    {line}")
                } else {
                    format!("    {line:width$}  then {}", shortened(state))
                }
            })
            .collect();
        format!(
            "{explains}{part}, with the state where it changes:\n\n{}",
            rows.join("\n")
        )
    }

    fn conclusion(&self) -> String {
        let Blamed {
            operation, order, ..
        } = self.blamed;
        if order.iter().any(|(placed, _)| placed == operation) {
            return "That response does not fit its place in this order, nor in any other."
                .to_owned();
        }
        let state = order
            .last()
            .map_or(&self.blamed.initial, |(_, state)| state);
        format!(
            "In the state {} that response is not allowed, and no other order leads to a state in which \
             it is.",
            shortened(state)
        )
    }

    /// Draws the operations that overlap with the one that cannot be placed.
    fn overlaps(&self) -> String {
        let blamed = self.blamed.operation;
        let began = self.operations[blamed].began;
        let overlapping: Vec<usize> = self
            .members
            .iter()
            .copied()
            .filter(|&index| {
                self.operations[index].began < self.until
                    && self.end(index).is_none_or(|end| end > began)
            })
            .collect();
        if overlapping.len() == 1 {
            return "No other operation overlaps with it.".to_owned();
        }
        // The operations that began last are the most likely to matter.
        let hidden = overlapping.len().saturating_sub(SHOWN_OVERLAPS);
        let shown = &overlapping[hidden..];
        let lines: Vec<String> = shown.iter().map(|&index| self.line(index)).collect();
        let width = longest(&lines);
        let columns = self.columns(shown);
        let mut rows: Vec<String> = shown
            .iter()
            .zip(&lines)
            .map(|(&index, line)| {
                let mark = if index == blamed { '>' } else { ' ' };
                let (bar, times) = (self.bar(index, &columns), self.times(index));
                let row = format!("  {mark} {bar}  {line:width$}{times}");
                row.trim_end().to_owned()
            })
            .collect();
        if hidden > 0 {
            rows.insert(0, format!("    … {hidden} that began earlier"));
        }
        format!(
            "Operations that overlap with it, as time goes from left to right:\n\n{}",
            rows.join("\n")
        )
    }

    /// Returns the events at which a shown operation begins or ends.
    fn columns(&self, shown: &[usize]) -> Vec<usize> {
        let mut columns: Vec<usize> = shown
            .iter()
            .flat_map(|&index| [Some(self.operations[index].began), self.end(index)])
            .flatten()
            .collect();
        columns.sort_unstable();
        columns
    }

    fn bar(&self, index: usize, columns: &[usize]) -> String {
        let began = self.operations[index].began;
        let end = self.end(index);
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

    /// Returns when the operation ended, or `None` if it may still take effect.
    fn end(&self, index: usize) -> Option<usize> {
        let (end, _) = response(&self.operations[index])?;
        (end <= self.until).then_some(end)
    }

    fn line(&self, index: usize) -> String {
        let Operation {
            client,
            op,
            outcome,
            ..
        } = &self.operations[index];
        match outcome {
            Outcome::Unknown(why) => format!("{client}: {op:?} may have run ({why})"),
            Outcome::Returned(output) if self.end(index).is_some() => {
                format!("{client}: {op:?} -> {output:?}")
            }
            Outcome::Returned(_) | Outcome::Failed(_) => {
                format!("{client}: {op:?} is still running")
            }
        }
    }

    /// The order explains only earlier responses, so the blamed operation may be in it with another
    /// one.
    fn line_in_order(&self, index: usize) -> String {
        let Operation { client, op, .. } = &self.operations[index];
        if index == self.blamed.operation {
            format!("{client}: {op:?} with another response")
        } else {
            self.line(index)
        }
    }

    /// Formats when the operation ran, relative to the history's first operation.
    fn times(&self, index: usize) -> String {
        let operation = &self.operations[index];
        let start = self.operations.first().and_then(|first| first.began_at);
        let (Some(start), Some(began)) = (start, operation.began_at) else {
            return String::new();
        };
        let ended = operation.ended_at.filter(|_| self.end(index).is_some());
        let until = ended.map_or_else(String::new, |ended| format!(" to {}", since(start, ended)));
        format!("  from {}{until}", since(start, began))
    }
}

/// In seconds. The time is negative if the clock was set back.
fn since(start: Timestamp, time: Timestamp) -> String {
    let millis = time.as_millis().saturating_sub(start.as_millis());
    let sign = if millis < 0 { "-" } else { "" };
    let millis = millis.unsigned_abs();
    format!("{sign}{}.{:03} s", millis / 1_000, millis % 1_000)
}

fn shortened(state: &str) -> String {
    let mut characters = state.chars();
    let shown: String = characters.by_ref().take(SHOWN_STATE).collect();
    if characters.next().is_some() {
        format!("{shown}…")
    } else {
        shown
    }
}

fn longest(lines: &[String]) -> usize {
    lines
        .iter()
        .map(|line| line.chars().count())
        .max()
        .unwrap_or_default()
}
