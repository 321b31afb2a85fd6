//! Searches for an order of the operations that the model allows.
//!
//! The algorithm is that of Wing and Gong (1993) with the memoisation of Lowe (2017), as in
//! Porcupine. It is a depth-first search over configurations (the placed operations, and the state
//! that they lead to) that visits none twice. Six rules make it fast here:
//!
//! - Operations are numbered in the order of their ends. Nearly all of a configuration's set of
//!   operations is then a prefix, and its size does not grow with the history.
//! - The operation that ended first is tried first, one with an unknown outcome last.
//! - An operation that [keeps the state](Model::keeps_state) is placed as soon as it fits: every
//!   continuation without it is also possible after it.
//! - A configuration is dropped if its state [rules out](Model::rules_out) a response that is still
//!   to be explained.
//! - A configuration is dropped if one was visited with the same state, the same ended operations,
//!   and no more operations with an unknown outcome. That one had every continuation of this one,
//!   because an operation with an unknown outcome need never be placed.
//! - Of equal operations with unknown outcomes, the one that began first is placed first, because
//!   exchanging them changes nothing.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::rc::Rc;

use super::model::Model;
use super::operation::{Operation, Outcome};

/// The maximum number of next responses that are checked for being ruled out.
const FORESIGHT: usize = 32;

pub(super) enum Verdict {
    /// [`Search::order`] is an order that explains every response.
    Linearizable,
    NotLinearizable,
    /// The bound was reached before the answer was known.
    Undecided,
}

/// The number of placed operations in each list of equal operations with an unknown outcome.
type Counts = Rc<[usize]>;

/// A search for an order that explains the first responses of a history.
pub(super) struct Search<'a, M: Model> {
    model: &'a M,
    operations: &'a [Operation<M::Op, M::Output>],
    /// The operations whose responses are to be explained, in the order of their ends.
    ended: Vec<Ended<'a, M::Output>>,
    /// Operations with an unknown outcome. Equal ones are grouped, in the order of their begins.
    unknown: Vec<Vec<usize>>,
    /// The visited configurations: the counts of unknown operations for each core. In a list, none
    /// covers another.
    visited: HashMap<Rc<Core<M::State>>, Vec<Counts>>,
    /// How each configuration was reached, in order.
    steps: Vec<Step<M::State>>,
    /// The step to the configuration that explains the most responses.
    furthest: usize,
}

struct Ended<'a, Output> {
    index: usize,
    output: &'a Output,
    end: usize,
    /// The operations that may be placed while this is the first unplaced one of `ended`: this one,
    /// and later ones that began before its end. In ascending order.
    candidates: Vec<usize>,
}

/// A configuration without the operations with an unknown outcome.
#[derive(PartialEq, Eq, Hash)]
struct Core<S> {
    /// The operations of `ended` before this index have been placed.
    placed: usize,
    /// The placed operations after it, in ascending order. There are never more of them than
    /// clients.
    ahead: Box<[usize]>,
    state: S,
}

struct Configuration<S> {
    core: Rc<Core<S>>,
    unknown: Counts,
    /// The step that led to this configuration.
    step: usize,
}

struct Step<S> {
    before: usize,
    /// The operation that was placed, or `None` at the start.
    placed: Option<usize>,
    core: Rc<Core<S>>,
}

impl<'a, M: Model> Search<'a, M> {
    /// Creates a search over the operations of `part` as known at the event `until`. An operation
    /// that ended later counts as running, and one that began later is omitted.
    pub(super) fn new(
        model: &'a M,
        operations: &'a [Operation<M::Op, M::Output>],
        part: &[usize],
        until: usize,
    ) -> Self {
        let mut ended = Vec::new();
        let mut unknown: Vec<Vec<usize>> = Vec::new();
        for &index in part {
            let operation = &operations[index];
            match response(operation) {
                _ if operation.began > until => {}
                Some((end, output)) if end <= until => ended.push(Ended {
                    index,
                    output,
                    end,
                    candidates: Vec::new(),
                }),
                // It makes no difference whether and where this operation is placed.
                _ if model.keeps_state(&operation.op, None) => {}
                _ => {
                    let alike = unknown
                        .iter_mut()
                        .find(|alike| operations[alike[0]].op == operation.op);
                    match alike {
                        Some(alike) => alike.push(index),
                        None => unknown.push(vec![index]),
                    }
                }
            }
        }
        ended.sort_unstable_by_key(|ended| ended.end);
        find_candidates(&mut ended, operations);
        Self {
            model,
            operations,
            ended,
            unknown,
            visited: HashMap::new(),
            steps: Vec::new(),
            furthest: 0,
        }
    }

    /// Searches until the answer is known, or until there are `limit` configurations.
    pub(super) fn run(&mut self, limit: usize) -> Verdict {
        let mut open = Vec::new();
        let start = Core {
            placed: 0,
            ahead: Box::default(),
            state: self.model.initial(),
        };
        let none_unknown = vec![0; self.unknown.len()].into();
        self.visit(start, none_unknown, 0, None, &mut open);
        while let Some(configuration) = open.pop() {
            if configuration.core.placed == self.ended.len() {
                return Verdict::Linearizable;
            }
            if self.steps.len() > limit {
                return Verdict::Undecided;
            }
            self.expand(&configuration, &mut open);
        }
        Verdict::NotLinearizable
    }

    /// Returns the number of responses to explain.
    pub(super) fn responses(&self) -> usize {
        self.ended.len()
    }

    /// Returns the largest number of responses that an order explained: this many of those that
    /// ended first.
    pub(super) fn explained(&self) -> usize {
        self.steps
            .get(self.furthest)
            .map_or(0, |step| step.core.placed)
    }

    /// Returns the order that explains them: each operation, and the state after it.
    pub(super) fn order(&self) -> Vec<(usize, &M::State)> {
        let mut order = Vec::new();
        let mut step = self.steps.get(self.furthest);
        while let Some((placed, reached)) = step.and_then(|step| Some((step.placed?, step))) {
            order.push((placed, &reached.core.state));
            step = self.steps.get(reached.before);
        }
        order.reverse();
        order
    }

    /// Opens the continuations of a configuration. The last one that is opened is tried first.
    fn expand(&mut self, from: &Configuration<M::State>, open: &mut Vec<Configuration<M::State>>) {
        if self.is_dead(from) {
            return;
        }
        let unplaced: Vec<usize> = self.ended[from.core.placed]
            .candidates
            .iter()
            .copied()
            .filter(|candidate| from.core.ahead.binary_search(candidate).is_err())
            .collect();
        if let Some(&chosen) = unplaced
            .iter()
            .find(|&&one| self.changes_nothing(from, one))
        {
            let core = from.core.with(chosen, from.core.state.clone());
            return self.visit_ended(chosen, core, from, open);
        }
        self.expand_unknown(from, open);
        for chosen in unplaced.into_iter().rev() {
            let Ended { index, output, .. } = self.ended[chosen];
            let op = &self.operations[index].op;
            for state in self.model.step(&from.core.state, op, Some(output)) {
                self.visit_ended(chosen, from.core.with(chosen, state), from, open);
            }
        }
    }

    fn expand_unknown(
        &mut self,
        from: &Configuration<M::State>,
        open: &mut Vec<Configuration<M::State>>,
    ) {
        let end = self.ended[from.core.placed].end;
        for alike in (0..self.unknown.len()).rev() {
            let Some(&index) = self.unknown[alike].get(from.unknown[alike]) else {
                continue;
            };
            let operation = &self.operations[index];
            if operation.began > end {
                continue;
            }
            let mut unknown = from.unknown.to_vec();
            unknown[alike] += 1;
            let unknown: Counts = unknown.into();
            for state in self.model.step(&from.core.state, &operation.op, None) {
                let core = Core {
                    placed: from.core.placed,
                    ahead: from.core.ahead.clone(),
                    state,
                };
                self.visit(core, Rc::clone(&unknown), from.step, Some(index), open);
            }
        }
    }

    /// Returns `true` if a response that must be explained soon fits neither here nor in any
    /// continuation.
    fn is_dead(&self, from: &Configuration<M::State>) -> bool {
        let Core {
            placed,
            ahead,
            state,
        } = &*from.core;
        (*placed..self.ended.len())
            .take(FORESIGHT)
            .filter(|next| ahead.binary_search(next).is_err())
            .any(|next| {
                let Ended { index, output, .. } = self.ended[next];
                let op = &self.operations[index].op;
                self.model.rules_out(state, op, output)
            })
    }

    /// Returns `true` if an operation fits here and leaves every state unchanged.
    fn changes_nothing(&self, from: &Configuration<M::State>, ended: usize) -> bool {
        let Ended { index, output, .. } = self.ended[ended];
        let op = &self.operations[index].op;
        if !self.model.keeps_state(op, Some(output)) {
            return false;
        }
        let mut fits = false;
        for state in self.model.step(&from.core.state, op, Some(output)) {
            fits = true;
            assert!(
                state == from.core.state,
                "invalid model: `keeps_state` is true for {op:?} -> {output:?}, and `step` turns \
                 {:?} into {state:?}. Return false where an operation changes any state",
                from.core.state
            );
        }
        fits
    }

    fn visit_ended(
        &mut self,
        chosen: usize,
        core: Core<M::State>,
        from: &Configuration<M::State>,
        open: &mut Vec<Configuration<M::State>>,
    ) {
        let index = self.ended[chosen].index;
        self.visit(core, Rc::clone(&from.unknown), from.step, Some(index), open);
    }

    /// Opens a configuration, unless a visited one had at least the same continuations.
    fn visit(
        &mut self,
        core: Core<M::State>,
        unknown: Counts,
        before: usize,
        placed: Option<usize>,
        open: &mut Vec<Configuration<M::State>>,
    ) {
        let core = match self.visited.entry(Rc::new(core)) {
            Entry::Occupied(mut known) => {
                if known.get().iter().any(|known| covers(known, &unknown)) {
                    return;
                }
                known.get_mut().retain(|known| !covers(&unknown, known));
                known.get_mut().push(Rc::clone(&unknown));
                Rc::clone(known.key())
            }
            Entry::Vacant(vacant) => {
                let core = Rc::clone(vacant.key());
                vacant.insert(vec![Rc::clone(&unknown)]);
                core
            }
        };
        let step = self.steps.len();
        if step == 0 || core.placed > self.explained() {
            self.furthest = step;
        }
        self.steps.push(Step {
            before,
            placed,
            core: Rc::clone(&core),
        });
        open.push(Configuration {
            core,
            unknown,
            step,
        });
    }
}

/// Returns the end of an operation that returned, and its response.
pub(super) fn response<Op, Output>(operation: &Operation<Op, Output>) -> Option<(usize, &Output)> {
    match &operation.outcome {
        Outcome::Returned(output) => Some((operation.ended?, output)),
        Outcome::Failed(_) | Outcome::Unknown(_) => None,
    }
}

fn find_candidates<Op, Output>(
    ended: &mut [Ended<'_, Output>],
    operations: &[Operation<Op, Output>],
) {
    let mut by_begin: Vec<usize> = (0..ended.len()).collect();
    by_begin.sort_unstable_by_key(|&one| operations[ended[one].index].began);
    let mut begins = by_begin.into_iter().peekable();
    let mut running = std::collections::BTreeSet::new();
    for first in 0..ended.len() {
        let end = ended[first].end;
        while let Some(one) = begins.next_if(|&one| operations[ended[one].index].began < end) {
            running.insert(one);
        }
        ended[first].candidates = running.iter().copied().collect();
        running.remove(&first);
    }
}

impl<S> Core<S> {
    /// Returns the configuration after `chosen` was placed.
    fn with(&self, chosen: usize, state: S) -> Self {
        let mut ahead = self.ahead.to_vec();
        let position = ahead.partition_point(|&other| other < chosen);
        ahead.insert(position, chosen);
        let run = ahead
            .iter()
            .zip(self.placed..)
            .take_while(|(ahead, next)| *ahead == next)
            .count();
        ahead.drain(..run);
        Self {
            placed: self.placed + run,
            ahead: ahead.into(),
            state,
        }
    }
}

/// Returns `true` if `fewer` leaves at least as many unknown operations to place as `more`.
fn covers(fewer: &[usize], more: &[usize]) -> bool {
    fewer.iter().zip(more).all(|(fewer, more)| fewer <= more)
}
