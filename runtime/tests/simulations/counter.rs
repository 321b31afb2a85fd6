//! A counter that clients change, reset, bound and read at once while everything fails: what they
//! see is linearizable, so each acknowledged increment is counted once.

use std::time::Duration;

use anchorhold::Faults;
use anchorhold::check::{History, Model};
use anchorhold::objects::Counter;
use anchorhold::objects::counter::{Bounds, CounterError};
use anchorhold::prelude::*;
use futures_util::future::join_all;

use crate::clients;

const CLIENTS: u64 = 4;
const ROUNDS: usize = 8;

#[derive(Clone, Debug, PartialEq)]
enum Op {
    Increment(i64),
    Value,
    Reset,
    Bounds,
    SetBounds(Option<i64>, Option<i64>),
}

#[derive(Clone, Debug, PartialEq)]
enum Output {
    Value(i64),
    Bounds(Option<i64>, Option<i64>),
    Set,
    Refused,
}

/// The counter's documentation, as a model with arithmetic of its own.
struct Sequential;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    value: i64,
    lower: Option<i64>,
    upper: Option<i64>,
}

impl State {
    fn allows(&self, value: i128) -> bool {
        let lower = self.lower.unwrap_or(i64::MIN).into();
        let upper = self.upper.unwrap_or(i64::MAX).into();
        (lower..=upper).contains(&value)
    }

    fn after(self, op: &Op) -> (Self, Output) {
        match *op {
            Op::Value => (self.clone(), Output::Value(self.value)),
            Op::Bounds => (self.clone(), Output::Bounds(self.lower, self.upper)),
            Op::Reset => (Self { value: 0, ..self }, Output::Value(self.value)),
            Op::Increment(by) => {
                let sum = i128::from(self.value) + i128::from(by);
                match i64::try_from(sum) {
                    Ok(value) if self.allows(sum) => (Self { value, ..self }, Output::Value(value)),
                    _ => (self, Output::Refused),
                }
            }
            Op::SetBounds(lower, upper) => {
                let value = self.value;
                let bounded = Self {
                    value,
                    lower,
                    upper,
                };
                if bounded.allows(0) && bounded.allows(value.into()) {
                    (bounded, Output::Set)
                } else {
                    (self, Output::Refused)
                }
            }
        }
    }
}

impl Model for Sequential {
    type Op = Op;
    type Output = Output;
    type State = State;

    fn initial(&self) -> State {
        State {
            value: 0,
            lower: None,
            upper: None,
        }
    }

    fn step(
        &self,
        state: &State,
        op: &Op,
        output: Option<&Output>,
    ) -> impl IntoIterator<Item = State> {
        let (next, expected) = state.clone().after(op);
        output
            .is_none_or(|output| *output == expected)
            .then_some(next)
    }

    fn keeps_state(&self, op: &Op, output: Option<&Output>) -> bool {
        matches!(op, Op::Value | Op::Bounds) || output == Some(&Output::Refused)
    }
}

async fn ask(sim: &Sim, client: &str, op: Op, history: &History<Op, Output>) {
    let counter = sim.objects::<Counter>().named("a");
    let value = |answer: Result<i64, CounterError>| answer.map_or(Output::Refused, Output::Value);
    let told = |Ok(value)| Output::Value(value);
    // Whatever comes of it is in the history.
    match op {
        Op::Increment(by) => drop(history.call(client, op, counter.increment(by), value).await),
        Op::Value => drop(history.call(client, op, counter.value(), told).await),
        Op::Reset => drop(history.call(client, op, counter.reset(), told).await),
        Op::Bounds => {
            let bounds = |Ok::<Bounds, _>(bounds)| Output::Bounds(bounds.lower(), bounds.upper());
            drop(history.call(client, op, counter.bounds(), bounds).await);
        }
        Op::SetBounds(lower, upper) => {
            let set =
                |answer: Result<(), CounterError>| answer.map_or(Output::Refused, |()| Output::Set);
            let call = counter.set_bounds(lower, upper);
            drop(history.call(client, op, call, set).await);
        }
    }
}

async fn client(sim: &Sim, number: u64, history: &History<Op, Output>) {
    let mut choices = clients::choices(sim, number);
    for _ in 0..ROUNDS {
        let op = match choices.u8(0..12) {
            0..6 => Op::Increment(choices.i64(-4..=9)),
            6 => Op::Increment([i64::MAX, i64::MIN, i64::MAX - 5][choices.usize(0..3)]),
            7 => Op::Reset,
            8 => Op::SetBounds(
                choices.bool().then(|| choices.i64(-30..=1)),
                choices.bool().then(|| choices.i64(-1..=30)),
            ),
            9 => Op::Bounds,
            _ => Op::Value,
        };
        ask(sim, &format!("client {number}"), op, history).await;
        let pause = Duration::from_millis(choices.u64(0..400));
        sim.env().sleep(pause).await;
    }
}

#[anchorhold::test(seed = 1, seeds = 300, faults = Faults::all())]
async fn counter_is_linearizable(sim: Sim) {
    let history = clients::history(&sim);
    join_all((0..CLIENTS).map(|number| client(&sim, number, &history))).await;
    clients::heal(&sim).await;
    ask(&sim, "afterwards", Op::Value, &history).await;
    ask(&sim, "afterwards", Op::Bounds, &history).await;
    history.check(&Sequential).unwrap();
    let last = &history.operations()[history.operations().len() - 2..];
    assert!(
        last.iter()
            .all(|operation| matches!(operation.outcome, anchorhold::check::Outcome::Returned(_))),
        "the counter does not answer though nothing fails: {last:?}"
    );
}
