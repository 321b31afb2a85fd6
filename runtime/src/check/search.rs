//! Looks for an order of the operations that the model allows.
//!
//! The algorithm is that of Wing and Gong (1993) with the memoisation of Lowe (2017), as in
//! Porcupine: a depth-first search over configurations (which operations have been placed, and the
//! state they lead to) that visits none twice. Six rules make it fast here:
//!
//! - Operations are numbered in the order of their ends. Then nearly all of a configuration's set of
//!   operations is a prefix, and its size does not grow with the history.
//! - The operation that ended first is tried first, one with an unknown outcome last.
//! - An operation that [keeps the state](Model::keeps_state) is placed as soon as it fits: whatever
//!   may follow without it may follow after it.
//! - A configuration is given up if its state [rules out](Model::rules_out) a response that is still
//!   to be explained.
//! - A configuration is given up if one was visited with the same state, the same operations that
//!   ended, and no more of those whose outcome is unknown. That one had every continuation that this
//!   one has, because an operation with an unknown outcome need never be placed.
//! - Of equal operations with unknown outcomes the one that began first is placed first. Exchanging
//!   them changes nothing.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::rc::Rc;

use super::model::Model;
use super::operation::{Operation, Outcome};

/// At most so many of the next responses are asked whether they are ruled out.
const FORESIGHT: usize = 32;

pub(super) enum Verdict {
    /// [`Search::order`] is an order that explains every response.
    Linearizable,
    NotLinearizable,
    /// The bound was reached before either was known.
    Undecided,
}

/// How many have been placed of each list of equal operations whose outcome is unknown.
type Counts = Rc<[usize]>;

/// A search for an order that explains the first responses of a history.
pub(super) struct Search<'a, M: Model> {
    model: &'a M,
    operations: &'a [Operation<M::Op, M::Output>],
    /// The operations whose responses are to be explained, in the order of their ends.
    ended: Vec<Ended<'a, M::Output>>,
    /// Operations with an unknown outcome. Equal ones are together, in the order of their begins.
    unknown: Vec<Vec<usize>>,
    /// Every configuration's unknown operations, by the rest of it. None of a list covers another.
    visited: HashMap<Rc<Core<M::State>>, Vec<Counts>>,
    /// How each configuration was reached, in the order in which they were.
    steps: Vec<Step<M::State>>,
    /// The configuration that explains the most responses: the step to it.
    furthest: usize,
}

struct Ended<'a, Output> {
    index: usize,
    output: &'a Output,
    end: usize,
    /// What may be placed while this is the first of `ended` that has not been: this one, and those
    /// after it that began before its end. In ascending order.
    candidates: Vec<usize>,
}

/// A configuration without the operations whose outcome is unknown.
#[derive(PartialEq, Eq, Hash)]
struct Core<S> {
    /// Operations of `ended` before this one have been placed.
    placed: usize,
    /// So have these after it, in ascending order. There are never more than clients.
    ahead: Box<[usize]>,
    state: S,
}

struct Configuration<S> {
    core: Rc<Core<S>>,
    unknown: Counts,
    /// The step that led here.
    step: usize,
}

struct Step<S> {
    before: usize,
    /// The operation that was placed; `None` at the beginning.
    placed: Option<usize>,
    core: Rc<Core<S>>,
}

impl<'a, M: Model> Search<'a, M> {
    /// A search over the operations of `part` as they were known at the event `until`: one that
    /// ended later has not ended, and one that began later does not exist.
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
                // Whether and where this is placed makes no difference.
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

    /// Searches until the answer is known, or until `limit` configurations are.
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

    /// The number of responses to explain.
    pub(super) fn responses(&self) -> usize {
        self.ended.len()
    }

    /// The most responses that some order was found to explain: this many of those that ended first.
    pub(super) fn explained(&self) -> usize {
        self.steps
            .get(self.furthest)
            .map_or(0, |step| step.core.placed)
    }

    /// The order that explains them: each operation, and the state after it.
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

    /// Opens what follows a configuration. The last that is opened is tried first.
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

    /// Whether a response that is soon to be explained fits neither here nor in what may follow.
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

    /// Whether an operation fits here and leaves this state, and every other, as it is.
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

    /// Opens a configuration, unless one was visited that had at least its continuations.
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

/// The end of an operation that returned, and its response.
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
    /// The configuration after `chosen` was placed.
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

/// Whether `fewer` leaves at least the unknown operations to place that `more` leaves.
fn covers(fewer: &[usize], more: &[usize]) -> bool {
    fewer.iter().zip(more).all(|(fewer, more)| fewer <= more)
}
