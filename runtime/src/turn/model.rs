//! Compares the queue of turns with a plain model, under random schedules.

use std::collections::VecDeque;

use proptest::prelude::*;
use proptest::sample::Index;

use super::{LocalFuture, Mode, Permit, Turns, poll_once};

#[derive(Clone, Debug)]
enum Step {
    /// A turn arrives. `cause` is a turn that waits for it, if it is one of this object.
    Enter {
        mode: Mode,
        cause: Option<Index>,
    },
    EnterAhead {
        mode: Mode,
    },
    Poll(Index),
    /// A turn ends, or stops waiting.
    Leave(Index),
}

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![Just(Mode::Shared), Just(Mode::Exclusive)]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (mode(), prop::option::weighted(0.3, any::<Index>()))
            .prop_map(|(mode, cause)| Step::Enter { mode, cause }),
        1 => mode().prop_map(|mode| Step::EnterAhead { mode }),
        4 => any::<Index>().prop_map(Step::Poll),
        4 => any::<Index>().prop_map(Step::Leave),
    ]
}

/// The rules: shared turns run together, an exclusive one alone, in the order of arrival.
#[derive(Default)]
struct Model {
    running: Vec<(u64, Mode)>,
    waiting: VecDeque<(u64, Mode)>,
}

impl Model {
    fn admits(&self, mode: Mode) -> bool {
        let beside = |(_, running): &(u64, Mode)| *running == Mode::Shared && mode == *running;
        self.running.iter().all(beside)
    }

    fn start_waiting(&mut self) {
        while let Some((turn, mode)) = self.waiting.front().copied()
            && self.admits(mode)
        {
            self.waiting.pop_front();
            self.running.push((turn, mode));
        }
    }

    /// Returns `false` if the turn would wait for a turn that waits for it.
    fn enter(&mut self, turn: u64, mode: Mode, cause: Option<u64>) -> bool {
        let of_cause = |(running, _): &&(u64, Mode)| Some(*running) == cause;
        match self.running.iter().find(of_cause) {
            Some((_, Mode::Shared)) if mode == Mode::Shared => self.running.push((turn, mode)),
            Some(_) => return false,
            None => self.waiting.push_back((turn, mode)),
        }
        self.start_waiting();
        true
    }

    fn enter_ahead(&mut self, turn: u64, mode: Mode) {
        self.waiting.push_front((turn, mode));
        self.start_waiting();
    }

    fn leave(&mut self, turn: u64) {
        self.running.retain(|(running, _)| *running != turn);
        self.waiting.retain(|(waiting, _)| *waiting != turn);
        self.start_waiting();
    }

    fn is_running(&self, turn: u64) -> bool {
        self.running.iter().any(|(running, _)| *running == turn)
    }
}

/// A turn that has arrived and is not over.
enum Place {
    Waits(LocalFuture<'static, Permit>),
    Runs(#[expect(dead_code, reason = "is held until the turn ends")] Permit),
}

#[derive(Default)]
struct World {
    model: Model,
    places: Vec<(u64, Place)>,
    arrived: u64,
}

impl World {
    fn take(&mut self, turns: &Turns, step: &Step) {
        match step {
            Step::Enter { mode, cause } => {
                // A turn that is over causes nothing.
                let cause = cause.map(|cause| cause.index(self.arrived as usize + 1) as u64);
                let entered = turns.enter(*mode, cause.into_iter());
                let may_wait = self.model.enter(self.arrived, *mode, cause);
                assert_eq!(entered.is_ok(), may_wait, "caused by {cause:?}");
                if let Ok(entering) = entered {
                    self.arrive(Box::pin(entering));
                }
            }
            Step::EnterAhead { mode } => {
                self.model.enter_ahead(self.arrived, *mode);
                self.arrive(Box::pin(turns.enter_ahead(*mode)));
            }
            Step::Poll(index) if !self.places.is_empty() => {
                let index = index.index(self.places.len());
                self.poll(index);
            }
            Step::Leave(index) if !self.places.is_empty() => {
                let (turn, place) = self.places.remove(index.index(self.places.len()));
                self.model.leave(turn);
                drop(place);
            }
            Step::Poll(_) | Step::Leave(_) => {}
        }
    }

    fn arrive(&mut self, entering: LocalFuture<'static, Permit>) {
        self.places.push((self.arrived, Place::Waits(entering)));
        self.arrived += 1;
    }

    fn poll(&mut self, index: usize) {
        let (turn, place) = &mut self.places[index];
        let runs = self.model.is_running(*turn);
        if let Place::Waits(entering) = place {
            let polled = poll_once(entering);
            assert_eq!(polled.is_some(), runs, "turn {turn}");
            if let Some(permit) = polled {
                assert_eq!(permit.turn(), *turn);
                *place = Place::Runs(permit);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn turns_start_as_the_model_says(steps in prop::collection::vec(step(), 1..60)) {
        let turns = Turns::new(0);
        let mut world = World::default();
        for step in &steps {
            world.take(&turns, step);
        }
        for index in 0..world.places.len() {
            world.poll(index);
        }
    }
}
