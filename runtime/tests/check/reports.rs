//! What is printed, as a reader sees it.

use std::cell::Cell;
use std::rc::Rc;

use anchorhold::Timestamp;
use anchorhold::check::models::{Counter, CounterOp, Register, RegisterOp, RegisterOutput};
use anchorhold::check::{History, Model, NotLinearizable, PerKey};

use RegisterOp::{CompareAndSet, Read, Write};
use RegisterOutput::{Swapped, Value, Written};

fn report<M: Model>(history: &History<M::Op, M::Output>, model: &M) -> String {
    history.check(model).unwrap_err().to_string()
}

/// A history whose clock is 10 ms later each time it is asked.
fn timed<Op, Output>() -> History<Op, Output> {
    let now = Rc::new(Cell::new(0));
    History::with_clock(move || {
        now.set(now.get() + 10);
        Timestamp::from_millis(now.get())
    })
}

#[test]
fn stale_read_is_shown_with_the_order_before_it_and_what_overlaps() {
    let history = timed();
    history.begin("ann", Write(1)).returned(Written);
    let setting = history.begin("bob", Write(2));
    let reading = history.begin("cyd", Read);
    history.begin("dan", Write(3)).unknown("the host crashed");
    setting.returned(Written);
    let late = history.begin("ann", Write(4));
    reading.returned(Value(0));
    late.returned(Written);
    history.begin("ann", Read).returned(Value(0));
    assert_eq!(
        report(&history, &Register(0)),
        r#"the history is not linearizable: no order of its operations explains this response

    cyd: Read -> Value(0)

An order that explains every response before it, with the state where it changes:

    ann: Write(1) -> Written  then 1
    bob: Write(2) -> Written  then 2

In the state 2 that response is not allowed, and no other order leads to a state in which it is.

Operations that overlap with it, as time goes from left to right:

    ├─────┤       bob: Write(2) -> Written                       from 0.020 s to 0.060 s
  >   ├───────┤   cyd: Read -> Value(0)                          from 0.030 s to 0.080 s
        ├───────  dan: Write(3) may have run (the host crashed)  from 0.040 s
            ├───  ann: Write(4) is still running                 from 0.070 s
"#
    );
}

#[test]
fn response_that_does_not_fit_what_the_others_saw_is_blamed_instead_of_them() {
    let history = History::new();
    let setting = history.begin(
        "ann",
        CompareAndSet {
            expected: 0,
            new: 1,
        },
    );
    history.begin("bob", Read).returned(Value(1));
    setting.returned(Swapped(false));
    assert_eq!(
        report(&history, &Register(0)),
        r#"the history is not linearizable: no order of its operations explains this response

    ann: CompareAndSet { expected: 0, new: 1 } -> Swapped(false)

An order that explains every response before it, with the state where it changes:

    ann: CompareAndSet { expected: 0, new: 1 } with another response  then 1
    bob: Read -> Value(1)

That response does not fit its place in this order, nor in any other.

Operations that overlap with it, as time goes from left to right:

  > ├─────┤   ann: CompareAndSet { expected: 0, new: 1 } -> Swapped(false)
      ├─┤     bob: Read -> Value(1)
"#
    );
}

#[test]
fn first_response_is_shown_with_the_initial_state_and_its_part() {
    let history = History::new();
    history.begin(1, ("pears", CounterOp::Add(2))).returned(2);
    history.begin(1, ("apples", CounterOp::Add(2))).returned(3);
    assert_eq!(
        report(&history, &PerKey::new(Counter)),
        r#"the history in part "apples" is not linearizable: no order of its operations explains this response

    1: ("apples", Add(2)) -> 3

The model begins in the state 0.

In the state 0 that response is not allowed, and no other order leads to a state in which it is.

No other operation overlaps with it.
"#
    );
}

#[test]
fn earliest_violation_of_all_parts_is_blamed() {
    let history = History::new();
    for key in ["pears", "apples"] {
        history.begin(1, (key, CounterOp::Read)).returned(9);
    }
    match history.check(&PerKey::new(Counter)) {
        Err(NotLinearizable::Violation(violation)) => assert_eq!(violation.operation(), 0),
        other => panic!("{other:?}"),
    }
}

#[test]
fn response_of_another_part_may_be_the_earlier_one_that_the_bound_hid() {
    let history = History::new();
    let swap = |expected, new| CompareAndSet { expected, new };
    let long = history.begin(1, ("pears", swap(0, 2)));
    history
        .begin(2, ("pears", swap(1, 2)))
        .returned(Swapped(true));
    history.begin(2, ("apples", Read)).returned(Value(2));
    long.returned(Swapped(false));
    let model = PerKey::new(Register(0));
    let blamed = |bound| match history.check_within(&model, bound) {
        Err(NotLinearizable::Violation(violation)) => (
            violation.operation(),
            violation
                .to_string()
                .contains("An earlier response may be wrong too"),
        ),
        other => panic!("{other:?}"),
    };
    assert_eq!(blamed(usize::MAX), (1, false));
    assert_eq!(blamed(1), (2, true));
}

#[test]
fn search_that_reaches_its_bound_says_what_to_do() {
    let history = History::new();
    for _ in 0..10 {
        history
            .begin(1, CounterOp::Add(1))
            .unknown("the host crashed");
    }
    history.begin(1, CounterOp::Read).returned(8);
    history.check(&Counter).unwrap();
    let error = history.check_within(&Counter, 3).unwrap_err();
    assert!(matches!(error, NotLinearizable::Undecided(_)));
    assert_eq!(
        error.to_string(),
        "undecided: after 3 configurations, orders were found for the first 0 of 1 responses. \
         Record fewer operations at once, or fewer with unknown outcomes, or raise the bound with \
         `check_within`"
    );
}

/// Says of an operation that it reads, though it writes.
struct Liar;

impl Model for Liar {
    type Op = u32;
    type Output = ();
    type State = u32;

    fn initial(&self) -> u32 {
        0
    }

    fn step(&self, _: &u32, op: &u32, _: Option<&()>) -> impl IntoIterator<Item = u32> {
        Some(*op)
    }

    fn keeps_state(&self, _: &u32, _: Option<&()>) -> bool {
        true
    }
}

#[test]
#[should_panic = "invalid model: `keeps_state` is true for 7 -> (), and `step` turns 0 into 7"]
fn model_that_contradicts_itself_is_named() {
    let history = History::new();
    history.begin("ann", 7).returned(());
    let _ = history.check(&Liar);
}
