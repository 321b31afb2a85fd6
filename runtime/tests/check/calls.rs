//! What becomes of a call: its result in the history, and in the count of deliveries.

use std::future::{pending, ready};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use anchorhold::check::models::{Counter, CounterOp};
use anchorhold::check::{Deliveries, History, Outcome};
use anchorhold::{CallError, Error};

type Answer = Result<i64, CallError<Error>>;

/// The end of a call that can end at once.
fn finish<F: Future>(call: F) -> F::Output {
    match pin!(call).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the call has not ended"),
    }
}

fn text() -> String {
    "reason".to_owned()
}

fn refused_before_it_ran() -> Vec<CallError<Error>> {
    vec![
        CallError::Overloaded(text()),
        CallError::NoSuchMethod(text()),
        CallError::CallCycle(text()),
        CallError::Configuration(text()),
    ]
}

fn may_have_run() -> Vec<CallError<Error>> {
    vec![
        CallError::Reset(text()),
        CallError::Disconnected(text()),
        CallError::Undecodable(text()),
        CallError::TimedOut(text()),
        CallError::Storage(text()),
    ]
}

fn outcome_of(answer: Answer) -> Outcome<Option<i64>> {
    let history = History::new();
    let call = history.call("ann", (), ready(answer.clone()), Result::ok);
    assert_eq!(finish(call), answer);
    history.operations().remove(0).outcome
}

#[test]
fn call_is_recorded_by_what_its_error_says() {
    assert_eq!(outcome_of(Ok(1)), Outcome::Returned(Some(1)));
    let conflict = Error::conflict("held", "held by bob");
    let application = outcome_of(Err(CallError::Application(conflict)));
    assert_eq!(application, Outcome::Returned(None));
    for error in refused_before_it_ran() {
        let failed = outcome_of(Err(error.clone()));
        assert_eq!(failed, Outcome::Failed(error.to_string()));
    }
    for error in may_have_run() {
        let unknown = outcome_of(Err(error.clone()));
        assert_eq!(unknown, Outcome::Unknown(error.to_string()));
    }
}

#[test]
fn call_begins_when_it_is_made_and_stays_unknown_when_it_is_dropped() {
    let history = History::new();
    let never = history.call("ann", CounterOp::Add(1), pending::<Answer>(), |answer| {
        answer.unwrap_or_default()
    });
    history.begin("bob", CounterOp::Read).returned(1);
    drop(never);
    let dropped = &history.operations()[0];
    assert_eq!((dropped.began, dropped.ended), (1, Some(4)));
    assert!(matches!(dropped.outcome, Outcome::Unknown(_)));
    history.check(&Counter).unwrap();
}

#[test]
fn delivery_is_counted_by_what_the_call_answers() {
    let count = |answer: Answer| {
        let deliveries = Deliveries::exactly_once();
        let call = deliveries.call("key", ready(answer.clone()));
        assert_eq!(finish(call), answer);
        let accepts = |found: &[_]| deliveries.check(found.iter().copied()).is_ok();
        (accepts(&[]), accepts(&["key"]))
    };
    assert_eq!(count(Ok(1)), (false, true));
    for error in refused_before_it_ran() {
        assert_eq!(count(Err(error)), (true, false));
    }
    for error in may_have_run() {
        assert_eq!(count(Err(error)), (true, true));
    }
    // A turn that failed may have committed at an `await` before.
    let conflict = CallError::Application(Error::conflict("held", "held by bob"));
    assert_eq!(count(Err(conflict)), (true, true));
}
