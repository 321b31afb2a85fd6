//! One operation of a history, and its outcome.

use crate::error::CallError;
use crate::time::Timestamp;

/// One operation of a [`History`](super::History).
#[derive(Clone, Debug)]
pub struct Operation<Op, Output> {
    /// The client, as the report names it.
    pub client: String,
    /// The operation.
    pub op: Op,
    /// The outcome.
    pub outcome: Outcome<Output>,
    /// The number of the event at which it began. Events are the begins and ends of operations, in
    /// order.
    pub began: usize,
    /// The number of the event at which it ended, or `None` if its end was not seen.
    pub ended: Option<usize>,
    /// When it began, if the history has a clock.
    pub began_at: Option<Timestamp>,
    /// When it ended, if its end was seen and the history has a clock.
    pub ended_at: Option<Timestamp>,
}

/// The outcome of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<Output> {
    /// It ran between its begin and its end, and gave this response.
    Returned(Output),
    /// It certainly did not run. The text says why.
    Failed(String),
    /// It may have run, may still run later, or may never run. The text says why.
    Unknown(String),
}

/// Returns `true` if this error is returned only by calls that were refused before they ran.
pub(super) fn did_not_run<E>(error: &CallError<E>) -> bool {
    match error {
        CallError::Start(_)
        | CallError::Overloaded(_)
        | CallError::NoSuchMethod(_)
        | CallError::CallCycle(_)
        | CallError::Configuration(_) => true,
        // The turn ran, although its result could not be decoded.
        CallError::Undecodable(_)
        | CallError::Application(_)
        | CallError::Reset(_)
        | CallError::Disconnected(_)
        | CallError::TimedOut(_)
        | CallError::Storage(_) => false,
    }
}
