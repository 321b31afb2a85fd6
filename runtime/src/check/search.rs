//! Looks for an order of the operations that the model allows.
//!
//! The algorithm is that of Wing and Gong (1993) with the memoisation of Lowe (2016): a depth-first
//! search over configurations (which operations have been placed, and the state they lead to) that
//! visits none twice. Five things make it fast here:
//!
//! - Operations are numbered in the order of their ends. Then nearly all of a configuration's set of
//!   operations is a prefix, and its size does not grow with the history.
//! - The operation that ended first is tried first, one with an unknown outcome last.
//! - An operation that [keeps the state](Model::keeps_state) is placed as soon as it fits: whatever
//!   may follow without it may follow after it.
//! - A configuration is given up if one was visited with the same state, the same operations that
//!   ended, and no more of those whose outcome is unknown. That one had every continuation that this
//!   one has, because an operation with an unknown outcome need never be placed.
//! - Of equal operations with unknown outcomes the one that began first is placed first. Exchanging
//!   them changes nothing.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use super::history::{Operation, Outcome};
use super::model::Model;
use super::report::{NotLinearizable, Stuck, Undecided, Violation};

/// States that are kept for the report, of those in which the search could not go on.
const SHOWN_STATES: usize = 4;

/// As [`History::check_within`](super::History::check_within).
pub(super) fn check<M: Model>(
    operations: &[Operation<M::Op, M::Output>],
    model: &M,
    limit: usize,
) -> Result<(), NotLinearizable> {
    let mut parts: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, operation) in operations.iter().enumerate() {
        if !matches!(operation.outcome, Outcome::Failed(_)) {
            let part = model.partition(&operation.op);
            parts.entry(part).or_default().push(index);
        }
    }
    // A violation in a later part says more than an earlier part that is undecided.
    let mut undecided = None;
    for (part, indices) in parts {
        let mut search = Search::new(model, operations, &indices);
        match search.run(limit) {
            Verdict::Linearizable => {}
            Verdict::Stuck => {
                return Err(Violation::new(operations, &indices, &part, &search.stuck()).into());
            }
            Verdict::OutOfBounds => {
                undecided.get_or_insert(Undecided {
                    part,
                    explained: search.furthest,
                    of: search.ended.len(),
                    limit,
                });
            }
        }
    }
    undecided.map_or(Ok(()), |undecided| Err(undecided.into()))
}

/// How many have been placed of each list of equal operations whose outcome is unknown.
type Counts = Rc<[u32]>;

enum Verdict {
    Linearizable,
    Stuck,
    OutOfBounds,
}

struct Search<'a, M: Model> {
    model: &'a M,
    operations: &'a [Operation<M::Op, M::Output>],
    /// Operations that returned, in the order of their ends.
    ended: Vec<Ended>,
    /// Operations with an unknown outcome. Equal ones are together, in the order of their begins.
    unknown: Vec<Vec<usize>>,
    /// Every configuration's unknown operations, by the rest of it. None of a list covers another.
    visited: HashMap<Rc<Core<M::State>>, Vec<Counts>>,
    configurations: usize,
    /// How each configuration was reached.
    steps: Vec<Step<M::State>>,
    /// The most operations of `ended` that some order explains.
    furthest: usize,
    /// Steps to the configurations at which that many were explained, each with another state.
    stuck_at: Vec<usize>,
}

struct Ended {
    index: usize,
    /// Operations of `ended` that may be placed while this is the first that has not been: this
    /// one, and those that began before its end and ended later.
    overlapping: Vec<u32>,
}

/// A configuration without the operations whose outcome is unknown.
#[derive(PartialEq, Eq, Hash)]
struct Core<S> {
    /// Operations of `ended` before this one have been placed.
    placed: u32,
    /// So have these after it, in ascending order. There are never more than clients.
    ahead: Box<[u32]>,
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
    fn new(model: &'a M, operations: &'a [Operation<M::Op, M::Output>], indices: &[usize]) -> Self {
        let mut ends = Vec::new();
        let mut unknown: Vec<Vec<usize>> = Vec::new();
        for &index in indices {
            let operation = &operations[index];
            match (&operation.outcome, operation.ended) {
                (Outcome::Returned(_), Some(end)) => ends.push((end, index)),
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
        ends.sort_unstable();
        let ended = (0..ends.len())
            .map(|first| Ended {
                index: ends[first].1,
                overlapping: (first..ends.len())
                    .filter(|&later| operations[ends[later].1].began < ends[first].0)
                    .filter_map(|later| u32::try_from(later).ok())
                    .collect(),
            })
            .collect();
        Self {
            model,
            operations,
            ended,
            unknown,
            visited: HashMap::new(),
            configurations: 0,
            steps: Vec::new(),
            furthest: 0,
            stuck_at: Vec::new(),
        }
    }

    fn run(&mut self, limit: usize) -> Verdict {
        let mut open = Vec::new();
        let start = Core {
            placed: 0,
            ahead: Box::default(),
            state: self.model.initial(),
        };
        let none_unknown = vec![0; self.unknown.len()].into();
        self.visit(start, none_unknown, 0, None, &mut open);
        while let Some(configuration) = open.pop() {
            if configuration.core.placed as usize == self.ended.len() {
                return Verdict::Linearizable;
            }
            if self.configurations > limit {
                return Verdict::OutOfBounds;
            }
            self.expand(&configuration, &mut open);
        }
        Verdict::Stuck
    }

    /// Opens what follows a configuration. The last that is opened is tried first.
    fn expand(&mut self, from: &Configuration<M::State>, open: &mut Vec<Configuration<M::State>>) {
        let (model, operations) = (self.model, self.operations);
        let first = from.core.placed as usize;
        let end = operations[self.ended[first].index].ended;
        for alike in (0..self.unknown.len()).rev() {
            let next = self.unknown[alike].get(from.unknown[alike] as usize);
            let Some(&index) = next.filter(|&&index| Some(operations[index].began) < end) else {
                continue;
            };
            let mut unknown = from.unknown.to_vec();
            unknown[alike] += 1;
            let unknown: Counts = unknown.into();
            for state in model.step(&from.core.state, &operations[index].op, None) {
                let core = Core {
                    placed: from.core.placed,
                    ahead: from.core.ahead.clone(),
                    state,
                };
                self.visit(core, Rc::clone(&unknown), from.step, Some(index), open);
            }
        }
        for candidate in (0..self.ended[first].overlapping.len()).rev() {
            let chosen = self.ended[first].overlapping[candidate];
            if from.core.ahead.binary_search(&chosen).is_ok() {
                continue;
            }
            let index = self.ended[chosen as usize].index;
            let Outcome::Returned(output) = &operations[index].outcome else {
                continue;
            };
            for state in model.step(&from.core.state, &operations[index].op, Some(output)) {
                let core = from.core.with(chosen, state);
                self.visit(core, Rc::clone(&from.unknown), from.step, Some(index), open);
            }
        }
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
        self.configurations += 1;
        let step = self.steps.len();
        self.steps.push(Step {
            before,
            placed,
            core: Rc::clone(&core),
        });
        self.note_progress(&core, step);
        open.push(Configuration {
            core,
            unknown,
            step,
        });
    }

    fn note_progress(&mut self, core: &Core<M::State>, step: usize) {
        let placed = core.placed as usize;
        if placed > self.furthest {
            self.furthest = placed;
            self.stuck_at.clear();
        }
        let is_new = |steps: &[Step<M::State>], known: &[usize]| {
            known
                .iter()
                .all(|&known| steps[known].core.state != core.state)
        };
        if placed == self.furthest
            && self.stuck_at.len() < SHOWN_STATES
            && is_new(&self.steps, &self.stuck_at)
        {
            self.stuck_at.push(step);
        }
    }

    /// Why the search ended without an order.
    fn stuck(&self) -> Stuck {
        let mut order = Vec::new();
        let mut step = self.stuck_at.first().copied().unwrap_or_default();
        while let Some(placed) = self.steps[step].placed {
            order.push((placed, format!("{:?}", self.steps[step].core.state)));
            step = self.steps[step].before;
        }
        order.reverse();
        Stuck {
            blocked: self.ended[self.furthest].index,
            initial: format!("{:?}", self.model.initial()),
            order,
            states: self
                .stuck_at
                .iter()
                .map(|&step| format!("{:?}", self.steps[step].core.state))
                .collect(),
        }
    }
}

impl<S> Core<S> {
    /// The configuration after `chosen` was placed.
    fn with(&self, chosen: u32, state: S) -> Self {
        let mut placed = self.placed;
        let mut ahead = self.ahead.to_vec();
        match ahead.binary_search(&chosen) {
            Ok(_) => {}
            Err(position) => ahead.insert(position, chosen),
        }
        let run = ahead
            .iter()
            .zip(placed..)
            .take_while(|(ahead, next)| *ahead == next)
            .count();
        ahead.drain(..run);
        placed += u32::try_from(run).unwrap_or(u32::MAX);
        Self {
            placed,
            ahead: ahead.into(),
            state,
        }
    }
}

/// Whether `fewer` leaves at least the unknown operations to place that `more` leaves.
fn covers(fewer: &[u32], more: &[u32]) -> bool {
    fewer.iter().zip(more).all(|(fewer, more)| fewer <= more)
}
