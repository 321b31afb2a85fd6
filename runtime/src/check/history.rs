//! Records the operations of callers and their outcomes.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use super::model::Model;
use super::operation::{Operation, Outcome, did_not_run};
use super::report::NotLinearizable;
use super::verdict;
use crate::error::CallError;
use crate::time::Timestamp;

/// The default bound of [`History::check`]: the maximum number of configurations for each part of
/// the history.
const CONFIGURATIONS: usize = 500_000;

/// The operations of callers on an object, their responses and their overlaps.
///
/// Clones are handles of the same history, so that each client of a test can have its own. Only the
/// order in which operations begin and end matters. A [clock](Self::with_clock) only adds times to
/// the report.
///
/// [`call`](Self::call) records one call of a stub. [`begin`](Self::begin) is the general form.
pub struct History<Op, Output>(Rc<Inner<Op, Output>>);

struct Inner<Op, Output> {
    record: RefCell<Record<Op, Output>>,
    clock: Option<Box<dyn Fn() -> Timestamp>>,
}

struct Record<Op, Output> {
    operations: Vec<Operation<Op, Output>>,
    /// The number of begins and ends so far.
    events: usize,
}

impl<Op, Output> History<Op, Output> {
    /// Creates an empty history without times.
    #[must_use]
    pub fn new() -> Self {
        Self::from_clock(None)
    }

    /// Creates an empty history whose operations record the time:
    /// `History::with_clock(move || sim.now())`.
    #[must_use]
    pub fn with_clock(clock: impl Fn() -> Timestamp + 'static) -> Self {
        Self::from_clock(Some(Box::new(clock)))
    }

    fn from_clock(clock: Option<Box<dyn Fn() -> Timestamp>>) -> Self {
        Self(Rc::new(Inner {
            record: RefCell::new(Record {
                operations: Vec::new(),
                events: 0,
            }),
            clock,
        }))
    }

    /// Records a call of a stub and returns its result.
    ///
    /// The operation begins now instead of when the future is first polled. `output` converts the
    /// method's response (its value, or its own error) to the value that the model compares. For a
    /// method that cannot fail it is `|Ok(value)| …`. Other errors are not responses:
    ///
    /// | error | outcome |
    /// | --- | --- |
    /// | [`Application`](CallError::Application) | returned, through `output` |
    /// | [`Overloaded`](CallError::Overloaded), [`NoSuchMethod`](CallError::NoSuchMethod), [`CallCycle`](CallError::CallCycle), [`Configuration`](CallError::Configuration) | failed: it did not run |
    /// | every other | unknown: it may have run |
    ///
    /// A future that is dropped before its end leaves an unknown outcome.
    ///
    /// ```
    /// # use anchorhold::{CallError, Error};
    /// # use anchorhold::check::History;
    /// # async fn example(take: impl Future<Output = Result<u32, CallError<Error>>>) {
    /// let history = History::new();
    /// let taken = history.call("ann", "take", take, |answer| match answer {
    ///     Ok(item) => Some(item),
    ///     Err(_) => None,
    /// });
    /// let item: Result<u32, CallError<Error>> = taken.await;
    /// # }
    /// ```
    pub fn call<C, T, E, F, A>(
        &self,
        client: C,
        op: Op,
        call: F,
        output: A,
    ) -> impl Future<Output = Result<T, CallError<E>>> + use<Op, Output, C, T, E, F, A>
    where
        C: fmt::Display,
        T: Clone,
        E: Clone + fmt::Display,
        F: Future<Output = Result<T, CallError<E>>>,
        A: FnOnce(Result<T, E>) -> Output,
    {
        let pending = self.begin(client, op);
        async move {
            let result = call.await;
            match &result {
                Ok(value) => pending.returned(output(Ok(value.clone()))),
                Err(CallError::Application(error)) => pending.returned(output(Err(error.clone()))),
                Err(error) if did_not_run(error) => pending.failed(error.to_string()),
                Err(error) => pending.unknown(error.to_string()),
            }
            result
        }
    }

    /// Records that an operation begins. `client` is its name in the report.
    ///
    /// Report its end to the returned value. Dropping that value leaves an unknown outcome.
    pub fn begin(&self, client: impl fmt::Display, op: Op) -> Pending<Op, Output> {
        let began_at = self.now();
        let mut record = self.0.record.borrow_mut();
        let began = record.next_event();
        record.operations.push(Operation {
            client: client.to_string(),
            op,
            outcome: Outcome::Unknown("it has not ended".to_owned()),
            began,
            ended: None,
            began_at,
            ended_at: None,
        });
        Pending {
            history: self.clone(),
            index: record.operations.len() - 1,
            is_over: false,
        }
    }

    fn now(&self) -> Option<Timestamp> {
        self.0.clock.as_ref().map(|clock| clock())
    }

    /// Returns the operations so far, in the order in which they began.
    #[must_use]
    pub fn operations(&self) -> Vec<Operation<Op, Output>>
    where
        Op: Clone,
        Output: Clone,
    {
        self.0.record.borrow().operations.clone()
    }

    /// Checks that the history is linearizable: some order of its operations explains every
    /// response.
    ///
    /// In that order an operation is between its begin and its end. One with an unknown outcome is
    /// anywhere after its begin, or omitted. One that failed is omitted.
    ///
    /// # Errors
    /// - [`NotLinearizable::Violation`] shows the first response that no order explains.
    /// - [`NotLinearizable::Undecided`]: the search would need more than 500,000 configurations
    ///   (some ten seconds in a debug build, some hundred MB); see
    ///   [`check_within`](Self::check_within).
    ///
    /// Both print as a report, so that `unwrap` shows it.
    ///
    /// # Panics
    /// [`Model::keeps_state`] contradicts [`Model::step`].
    pub fn check<M>(&self, model: &M) -> Result<(), NotLinearizable>
    where
        M: Model<Op = Op, Output = Output>,
    {
        self.check_within(model, CONFIGURATIONS)
    }

    /// Checks as [`check`](Self::check) does, with another bound on time and memory: the maximum
    /// number of configurations for each [part](Model::partition). One configuration is a state of
    /// the model and some hundred bytes. The same history and bound always give the same result.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    ///
    /// # Panics
    /// As [`check`](Self::check).
    pub fn check_within<M>(&self, model: &M, configurations: usize) -> Result<(), NotLinearizable>
    where
        M: Model<Op = Op, Output = Output>,
    {
        verdict::check(&self.0.record.borrow().operations, model, configurations)
    }
}

impl<Op, Output> Record<Op, Output> {
    fn next_event(&mut self) -> usize {
        self.events += 1;
        self.events
    }
}

impl<Op, Output> Clone for History<Op, Output> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<Op, Output> Default for History<Op, Output> {
    fn default() -> Self {
        Self::new()
    }
}

impl<Op: fmt::Debug, Output: fmt::Debug> fmt::Debug for History<Op, Output> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_list()
            .entries(&self.0.record.borrow().operations)
            .finish()
    }
}

/// An operation that has begun; see [`History::begin`].
#[must_use = "dropping it leaves an operation with an unknown outcome"]
pub struct Pending<Op, Output> {
    history: History<Op, Output>,
    index: usize,
    is_over: bool,
}

impl<Op, Output> Pending<Op, Output> {
    /// Records that the operation ran and responded with `output`.
    pub fn returned(self, output: Output) {
        self.end(Outcome::Returned(output));
    }

    /// Records that the operation certainly did not run.
    pub fn failed(self, why: impl Into<String>) {
        self.end(Outcome::Failed(why.into()));
    }

    /// Records that the operation may have run, may still run later, or may never run.
    pub fn unknown(self, why: impl Into<String>) {
        self.end(Outcome::Unknown(why.into()));
    }

    fn end(mut self, outcome: Outcome<Output>) {
        self.note(outcome);
    }

    fn note(&mut self, outcome: Outcome<Output>) {
        self.is_over = true;
        let now = self.history.now();
        let mut record = self.history.0.record.borrow_mut();
        let event = record.next_event();
        let operation = &mut record.operations[self.index];
        operation.outcome = outcome;
        operation.ended = Some(event);
        operation.ended_at = now;
    }
}

impl<Op, Output> Drop for Pending<Op, Output> {
    fn drop(&mut self) {
        if !self.is_over {
            self.note(Outcome::Unknown("its caller stopped waiting".to_owned()));
        }
    }
}
