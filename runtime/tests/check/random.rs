//! Random histories, beside a brute force that shares nothing with the checker.

use std::fmt::Debug;

use anchorhold::Timestamp;
use anchorhold::check::models::{
    FencedLock, LockOp, LockOutput, Log, LogOp, LogOutput, Register, RegisterOp, RegisterOutput,
};
use anchorhold::check::{History, Model, NotLinearizable, Operation, Outcome, Pending, PerKey};
use proptest::prelude::*;

use super::queue::{Queue, QueueOp, QueueOutput};

/// What a client does in a generated history.
#[derive(Clone, Debug)]
struct Planned<Op, Output> {
    op: Op,
    end: End<Output>,
}

#[derive(Clone, Debug)]
enum End<Output> {
    Returned(Output),
    Failed,
    Unknown,
    Missing,
}

/// Each operation's index twice: where it begins, and where it ends.
fn interleaving(operations: usize) -> impl Strategy<Value = Vec<usize>> {
    Just(
        (0..operations)
            .flat_map(|index| [index, index])
            .collect::<Vec<_>>(),
    )
    .prop_shuffle()
}

/// The history, and the operations that have not ended in it.
fn history_of<Op: Clone, Output: Clone>(
    planned: &[Planned<Op, Output>],
    events: &[usize],
) -> (History<Op, Output>, Vec<Pending<Op, Output>>) {
    let history = History::new();
    let mut pending: Vec<_> = planned.iter().map(|_| None).collect();
    for &index in events {
        match pending[index].take() {
            None => pending[index] = Some(history.begin(index, planned[index].op.clone())),
            Some(begun) => match &planned[index].end {
                End::Returned(output) => begun.returned(output.clone()),
                End::Failed => begun.failed("refused"),
                End::Unknown => begun.unknown("lost"),
                End::Missing => pending[index] = Some(begun),
            },
        }
    }
    (history, pending.into_iter().flatten().collect())
}

/// Tries every order. `until` is the last event that counts: what ends later has not ended.
fn brute_force<M: Model>(
    model: &M,
    operations: &[Operation<M::Op, M::Output>],
    until: usize,
) -> bool {
    let open: Vec<&Operation<M::Op, M::Output>> = operations
        .iter()
        .filter(|operation| operation.began <= until)
        .filter(|operation| !has_failed(operation, until))
        .collect();
    orders(model, &open, &model.initial(), until)
}

fn has_failed<Op, Output>(operation: &Operation<Op, Output>, until: usize) -> bool {
    matches!(operation.outcome, Outcome::Failed(_))
        && operation.ended.is_some_and(|end| end <= until)
}

fn answer<Op, Output>(operation: &Operation<Op, Output>, until: usize) -> Option<(usize, &Output)> {
    match (&operation.outcome, operation.ended) {
        (Outcome::Returned(output), Some(end)) if end <= until => Some((end, output)),
        _ => None,
    }
}

fn orders<M: Model>(
    model: &M,
    open: &[&Operation<M::Op, M::Output>],
    state: &M::State,
    until: usize,
) -> bool {
    let first_end = open
        .iter()
        .filter_map(|operation| answer(operation, until).map(|(end, _)| end))
        .min();
    let Some(first_end) = first_end else {
        return true;
    };
    (0..open.len())
        .filter(|&chosen| open[chosen].began < first_end)
        .any(|chosen| {
            let mut rest = open.to_vec();
            let next = rest.remove(chosen);
            let output = answer(next, until).map(|(_, output)| output);
            model
                .step(state, &next.op, output)
                .into_iter()
                .any(|state| orders(model, &rest, &state, until))
        })
}

/// The checker's verdict is that of the brute force, and so is the operation that it blames. With a
/// bound, it may blame a later one.
fn agree<M>(
    model: &M,
    planned: &[Planned<M::Op, M::Output>],
    events: &[usize],
) -> Result<(), TestCaseError>
where
    M: Model,
    M::Op: Clone,
    M::Output: Clone,
{
    agree_with(model, model, planned, events)
}

/// As [`agree`], with another model of the same object for the brute force.
fn agree_with<R, M>(
    reference: &R,
    model: &M,
    planned: &[Planned<M::Op, M::Output>],
    events: &[usize],
) -> Result<(), TestCaseError>
where
    R: Model<Op = M::Op, Output = M::Output>,
    M: Model,
    M::Op: Clone,
    M::Output: Clone,
{
    let (history, _pending) = history_of(planned, events);
    let operations = history.operations();
    let mut ends: Vec<(usize, usize)> = operations
        .iter()
        .enumerate()
        .filter_map(|(index, operation)| answer(operation, usize::MAX).map(|(end, _)| (end, index)))
        .collect();
    ends.sort_unstable();
    // A failure is known only later: the operation counts as unknown until then. So the shortest
    // beginning is looked for with all failures known.
    let known: Vec<_> = operations
        .iter()
        .filter(|operation| !has_failed(operation, usize::MAX))
        .cloned()
        .collect();
    let expected = ends
        .into_iter()
        .find(|(end, _)| !brute_force(reference, &known, *end))
        .map(|(_, index)| index);
    let found = match history.check(model) {
        Ok(()) => None,
        Err(NotLinearizable::Violation(violation)) => Some(violation.operation()),
        Err(error) => panic!("{error}"),
    };
    prop_assert_eq!(found, expected);
    let end = |index: Option<usize>| index.and_then(|index| operations[index].ended);
    for bound in [1, 5, 20, 50] {
        match history.check_within(model, bound) {
            Ok(()) => prop_assert_eq!(expected, None),
            Err(NotLinearizable::Violation(violation)) => {
                prop_assert!(expected.is_some());
                prop_assert!(end(Some(violation.operation())) >= end(expected));
                let is_first = Some(violation.operation()) == expected;
                let says_so = violation
                    .to_string()
                    .contains("An earlier response may be wrong too");
                prop_assert!(is_first || says_so);
            }
            Err(NotLinearizable::Undecided(_)) => {}
        }
    }
    Ok(())
}

fn plans<Op: Debug + Clone, Output: Debug + Clone>(
    operation: impl Strategy<Value = (Op, Output)>,
) -> impl Strategy<Value = (Vec<Planned<Op, Output>>, Vec<usize>)> {
    let planned = (operation, 0..10_u32).prop_map(|((op, output), end)| Planned {
        op,
        end: match end {
            0 => End::Failed,
            1 | 2 => End::Unknown,
            3 => End::Missing,
            _ => End::Returned(output),
        },
    });
    proptest::collection::vec(planned, 0..=7)
        .prop_flat_map(|planned| (interleaving(planned.len()), Just(planned)))
        .prop_map(|(events, planned)| (planned, events))
}

/// An operation of a register with one of three values, and an answer that fits its kind.
fn register_operation() -> impl Strategy<Value = (RegisterOp<u8>, RegisterOutput<u8>)> {
    let value = || 0..3_u8;
    prop_oneof![
        value().prop_map(|value| (RegisterOp::Read, RegisterOutput::Value(value))),
        value().prop_map(|value| (RegisterOp::Write(value), RegisterOutput::Written)),
        (value(), value(), any::<bool>()).prop_map(|(expected, new, swapped)| (
            RegisterOp::CompareAndSet { expected, new },
            RegisterOutput::Swapped(swapped)
        )),
    ]
}

fn queue_operation() -> impl Strategy<Value = (QueueOp, QueueOutput)> {
    let item = || prop_oneof![Just('x'), Just('y')];
    prop_oneof![
        item().prop_map(|item| (QueueOp::Push(item), QueueOutput::Pushed)),
        proptest::option::of(item()).prop_map(|item| (QueueOp::Pop, QueueOutput::Popped(item))),
    ]
}

fn log_operation() -> impl Strategy<Value = (LogOp<u8>, LogOutput<u8>)> {
    let item = || 0..2_u8;
    prop_oneof![
        (item(), 0..4_usize)
            .prop_map(|(item, index)| (LogOp::Append(item), LogOutput::Appended(index))),
        (0..3_usize, proptest::collection::vec(item(), 0..=3))
            .prop_map(|(from, items)| (LogOp::ReadFrom(from), LogOutput::Items(items))),
    ]
}

fn lock_operation() -> impl Strategy<Value = (LockOp, LockOutput)> {
    let time = || (0..4_i64).prop_map(Timestamp::from_millis);
    let token = || 1..4_u64;
    prop_oneof![
        (token(), time(), time()).prop_map(|(token, at, until)| (
            LockOp::Acquire,
            LockOutput::Granted { token, at, until }
        )),
        Just((LockOp::Acquire, LockOutput::Held)),
        token().prop_map(|token| (LockOp::Release(token), LockOutput::Released)),
        (token(), time()).prop_map(|(token, at)| (LockOp::Release(token), LockOutput::Lost { at })),
    ]
}

/// Items that come out in any order. A lost answer hides which one it was.
struct Bag;

impl Model for Bag {
    type Op = QueueOp;
    type Output = QueueOutput;
    type State = Vec<char>;

    fn initial(&self) -> Vec<char> {
        Vec::new()
    }

    fn step(
        &self,
        state: &Vec<char>,
        op: &QueueOp,
        output: Option<&QueueOutput>,
    ) -> impl IntoIterator<Item = Vec<char>> {
        match op {
            QueueOp::Push(item) => {
                let mut state = state.clone();
                state.push(*item);
                state.sort_unstable();
                vec![state]
            }
            QueueOp::Pop if state.is_empty() => match output {
                None | Some(QueueOutput::Popped(None)) => vec![Vec::new()],
                Some(_) => Vec::new(),
            },
            QueueOp::Pop => (0..state.len())
                .filter(|&taken| {
                    output.is_none_or(|output| *output == QueueOutput::Popped(Some(state[taken])))
                })
                .map(|taken| {
                    let mut rest = state.clone();
                    rest.remove(taken);
                    rest
                })
                .collect(),
        }
    }
}

/// Two registers as one object.
struct TwoRegisters;

impl Model for TwoRegisters {
    type Op = (usize, RegisterOp<u8>);
    type Output = RegisterOutput<u8>;
    type State = [u8; 2];

    fn initial(&self) -> [u8; 2] {
        [0; 2]
    }

    fn step(
        &self,
        state: &[u8; 2],
        (key, op): &(usize, RegisterOp<u8>),
        output: Option<&RegisterOutput<u8>>,
    ) -> impl IntoIterator<Item = [u8; 2]> {
        let next = Register(0).step(&state[*key], op, output);
        next.into_iter().map(|value| {
            let mut state = *state;
            state[*key] = value;
            state
        })
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn verdict_is_that_of_a_brute_force_for_a_register((planned, events) in plans(register_operation())) {
        agree(&Register(0), &planned, &events)?;
    }

    #[test]
    fn verdict_is_that_of_a_brute_force_for_a_queue((planned, events) in plans(queue_operation())) {
        agree(&Queue, &planned, &events)?;
    }

    #[test]
    fn verdict_is_that_of_a_brute_force_for_a_log((planned, events) in plans(log_operation())) {
        agree(&Log::new(), &planned, &events)?;
    }

    #[test]
    fn verdict_is_that_of_a_brute_force_for_a_lock((planned, events) in plans(lock_operation())) {
        agree(&FencedLock, &planned, &events)?;
    }

    #[test]
    fn verdict_is_that_of_a_brute_force_for_a_model_with_choices((planned, events) in plans(queue_operation())) {
        agree(&Bag, &planned, &events)?;
    }

    #[test]
    fn verdict_is_that_of_a_brute_force_for_parts(
        (planned, events) in plans((0..2_usize, register_operation()).prop_map(|(key, (op, output))| ((key, op), output)))
    ) {
        agree_with(&TwoRegisters, &PerKey::new(Register(0)), &planned, &events)?;
    }
}
