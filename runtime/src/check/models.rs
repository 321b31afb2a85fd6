//! Models of common objects, and examples of how to write one.
//!
//! The responses of these models reveal early what an operation did, so long histories are checked
//! fast. Give your own models such responses where possible: let an append respond with the index
//! of its item.

use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;

use super::model::Model;
use crate::time::Timestamp;

/// One value that is read, written and compared-and-set. The field is the initial value.
#[derive(Clone, Copy, Debug)]
pub struct Register<V>(pub V);

/// The operations of a [`Register`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisterOp<V> {
    /// Reads the value. The response is [`RegisterOutput::Value`].
    Read,
    /// Writes the value. The response is [`RegisterOutput::Written`].
    Write(V),
    /// Writes `new` if the value is `expected`. The response is [`RegisterOutput::Swapped`].
    CompareAndSet {
        /// The value that is replaced.
        expected: V,
        /// The value that replaces it.
        new: V,
    },
}

/// The responses of a [`Register`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisterOutput<V> {
    /// The value that was read.
    Value(V),
    /// The value was written.
    Written,
    /// `true` if the value was the expected one and was replaced.
    Swapped(bool),
}

impl<V: Clone + Eq + Hash + Debug> Model for Register<V> {
    type Op = RegisterOp<V>;
    type Output = RegisterOutput<V>;
    type State = V;

    fn initial(&self) -> V {
        self.0.clone()
    }

    fn step(
        &self,
        state: &V,
        op: &RegisterOp<V>,
        output: Option<&RegisterOutput<V>>,
    ) -> impl IntoIterator<Item = V> {
        let (expected, next) = match op {
            RegisterOp::Read => (RegisterOutput::Value(state.clone()), state),
            RegisterOp::Write(value) => (RegisterOutput::Written, value),
            RegisterOp::CompareAndSet { expected, new } if expected == state => {
                (RegisterOutput::Swapped(true), new)
            }
            RegisterOp::CompareAndSet { .. } => (RegisterOutput::Swapped(false), state),
        };
        output
            .is_none_or(|output| *output == expected)
            .then(|| next.clone())
    }

    fn keeps_state(&self, op: &RegisterOp<V>, output: Option<&RegisterOutput<V>>) -> bool {
        matches!(op, RegisterOp::Read) || output == Some(&RegisterOutput::Swapped(false))
    }
}

/// A sum that starts at 0. Both operations respond with the sum after them.
#[derive(Clone, Copy, Debug)]
pub struct Counter;

/// The operations of a [`Counter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CounterOp {
    /// Adds a number, which may be negative.
    Add(i64),
    /// Reads the sum.
    Read,
}

impl Model for Counter {
    type Op = CounterOp;
    type Output = i64;
    type State = i64;

    fn initial(&self) -> i64 {
        0
    }

    fn step(
        &self,
        state: &i64,
        op: &CounterOp,
        output: Option<&i64>,
    ) -> impl IntoIterator<Item = i64> {
        let by = match op {
            CounterOp::Add(by) => *by,
            CounterOp::Read => 0,
        };
        state
            .checked_add(by)
            .filter(|sum| output.is_none_or(|output| output == sum))
    }

    fn keeps_state(&self, op: &CounterOp, _: Option<&i64>) -> bool {
        matches!(op, CounterOp::Read)
    }
}

/// An exclusive lock whose leases expire and whose tokens always increase.
///
/// The model knows when a response arrived. It does not know when its operation ran. It therefore
/// accepts a grant that came too early if its response arrived after the expiry. It also accepts
/// [`Held`](LockOutput::Held) until the next grant. Its times must come from a clock that is not
/// set: in a simulation with faults, exclude [`ClockStep`](crate::FaultKind::ClockStep).
#[derive(Clone, Copy, Debug)]
pub struct FencedLock;

/// The operations of a [`FencedLock`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockOp {
    /// Requests a lease. The response is [`LockOutput::Granted`] or [`LockOutput::Held`].
    Acquire,
    /// Releases the lease with this token. The response is [`LockOutput::Released`] or
    /// [`LockOutput::Lost`].
    Release(u64),
}

/// The responses of a [`FencedLock`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockOutput {
    /// A lease was granted.
    Granted {
        /// The token, which is greater than every earlier one.
        token: u64,
        /// When the response arrived.
        at: Timestamp,
        /// When the lease expires.
        until: Timestamp,
    },
    /// Another holder has a lease.
    Held,
    /// The lease was released.
    Released,
    /// The lease had already ended.
    Lost {
        /// When the response arrived.
        at: Timestamp,
    },
}

/// The state of a [`FencedLock`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LockState {
    /// The greatest token in a response. A grant whose response was lost had a greater one.
    pub last: u64,
    /// The lease that was granted and not released, if there is one.
    pub lease: Option<GrantedLease>,
}

/// A lease that was granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GrantedLease {
    /// Its response arrived.
    Known {
        /// Its token.
        token: u64,
        /// When it expires.
        until: Timestamp,
    },
    /// Its response was lost. It may have expired at any time.
    Unknown,
}

impl Model for FencedLock {
    type Op = LockOp;
    type Output = LockOutput;
    type State = LockState;

    fn initial(&self) -> LockState {
        LockState {
            last: 0,
            lease: None,
        }
    }

    fn step(
        &self,
        state: &LockState,
        op: &LockOp,
        output: Option<&LockOutput>,
    ) -> impl IntoIterator<Item = LockState> {
        let free = LockState {
            lease: None,
            ..*state
        };
        let has_ended = |at: Timestamp| match state.lease {
            Some(GrantedLease::Known { until, .. }) => until <= at,
            Some(GrantedLease::Unknown) | None => true,
        };
        let may_be = |released: u64| match state.lease {
            Some(GrantedLease::Known { token, .. }) => token == released,
            Some(GrantedLease::Unknown) => released > state.last,
            None => false,
        };
        match (op, output) {
            (LockOp::Acquire, Some(&LockOutput::Granted { token, at, until })) => {
                (token > state.last && has_ended(at)).then_some(LockState {
                    last: token,
                    lease: Some(GrantedLease::Known { token, until }),
                })
            }
            (LockOp::Acquire, Some(LockOutput::Held)) => state.lease.is_some().then_some(*state),
            (LockOp::Acquire, None) => Some(LockState {
                lease: Some(GrantedLease::Unknown),
                ..*state
            }),
            (LockOp::Release(token), Some(LockOutput::Released)) => may_be(*token).then_some(free),
            (LockOp::Release(token), Some(LockOutput::Lost { at })) => {
                (!may_be(*token) || has_ended(*at)).then_some(*state)
            }
            (LockOp::Release(token), None) => Some(if may_be(*token) { free } else { *state }),
            _ => None,
        }
    }

    fn keeps_state(&self, _: &LockOp, output: Option<&LockOutput>) -> bool {
        matches!(output, Some(LockOutput::Held | LockOutput::Lost { .. }))
    }

    fn rules_out(&self, state: &LockState, _: &LockOp, output: &LockOutput) -> bool {
        matches!(output, LockOutput::Granted { token, .. } if *token <= state.last)
    }
}

/// A list that only grows. The model copies it at each step, so limit it to some hundred items.
#[derive(Clone, Copy, Debug, Default)]
pub struct Log<V>(PhantomData<V>);

/// The operations of a [`Log`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogOp<V> {
    /// Appends an item. The response is [`LogOutput::Appended`].
    Append(V),
    /// Reads the items from this index on. The response is [`LogOutput::Items`].
    ReadFrom(usize),
}

/// The responses of a [`Log`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogOutput<V> {
    /// The index of the new item; the first is 0.
    Appended(usize),
    /// The items that were read, in order.
    Items(Vec<V>),
}

impl<V> Log<V> {
    /// Creates an empty log.
    #[must_use]
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

impl<V: Clone + Eq + Hash + Debug> Model for Log<V> {
    type Op = LogOp<V>;
    type Output = LogOutput<V>;
    type State = Vec<V>;

    fn initial(&self) -> Vec<V> {
        Vec::new()
    }

    fn step(
        &self,
        state: &Vec<V>,
        op: &LogOp<V>,
        output: Option<&LogOutput<V>>,
    ) -> impl IntoIterator<Item = Vec<V>> {
        let is_right = match (op, output) {
            (_, None) => true,
            (LogOp::Append(_), Some(LogOutput::Appended(index))) => *index == state.len(),
            (LogOp::ReadFrom(from), Some(LogOutput::Items(items))) => {
                state.get(*from..).unwrap_or_default() == items
            }
            _ => false,
        };
        is_right.then(|| match op {
            LogOp::Append(item) => [&state[..], std::slice::from_ref(item)].concat(),
            LogOp::ReadFrom(_) => state.clone(),
        })
    }

    fn keeps_state(&self, op: &LogOp<V>, _: Option<&LogOutput<V>>) -> bool {
        matches!(op, LogOp::ReadFrom(_))
    }

    fn rules_out(&self, state: &Vec<V>, op: &LogOp<V>, output: &LogOutput<V>) -> bool {
        match (op, output) {
            (LogOp::Append(_), LogOutput::Appended(index)) => *index < state.len(),
            (LogOp::ReadFrom(from), LogOutput::Items(items)) => {
                !items.starts_with(state.get(*from..).unwrap_or_default())
            }
            _ => true,
        }
    }
}
