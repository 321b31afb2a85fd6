//! What makes a shard's order of events a matter of the seed, and writes it down.

use std::cell::RefCell;
use std::collections::VecDeque;

use tokio::sync::Notify;
use tokio::task::yield_now;

use super::kernel::{Effect, ObjectIndex};
use super::random::SplitMix;
use super::work::{Output, Work};
use crate::id::RawId;

/// The seeded part of a simulated shard.
pub(super) struct Simulation {
    random: SplitMix,
    ready: RefCell<Vec<Ready>>,
    pub(super) some_ready: Notify,
    pub(super) trace: RefCell<Vec<String>>,
}

/// Work of one object that may start, in its order, and the work's bytes.
type Ready = (ObjectIndex, VecDeque<(Work, usize)>);

impl Simulation {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            random: SplitMix::new(seed),
            ready: RefCell::default(),
            some_ready: Notify::new(),
            trace: RefCell::default(),
        }
    }

    /// Work that may start; that of one object keeps its order.
    pub(super) fn ready(&self, object: ObjectIndex, work: Work, bytes: usize) {
        let mut ready = self.ready.borrow_mut();
        match ready.iter_mut().find(|(known, _)| *known == object) {
            Some((_, waiting)) => waiting.push_back((work, bytes)),
            None => ready.push((object, VecDeque::from([(work, bytes)]))),
        }
        self.some_ready.notify_one();
    }

    /// The next piece of work, of an object chosen by the seed.
    pub(super) fn pick(&self) -> Option<(ObjectIndex, Work, usize)> {
        let mut ready = self.ready.borrow_mut();
        if ready.is_empty() {
            return None;
        }
        let chosen = self.random.below(ready.len());
        let (object, waiting) = &mut ready[chosen];
        let object = *object;
        let picked = waiting
            .pop_front()
            .map(|(work, bytes)| (object, work, bytes));
        if waiting.is_empty() {
            ready.remove(chosen);
        }
        picked
    }

    /// All that was ready is lost in a crash.
    pub(super) fn clear(&self) -> Vec<Work> {
        let ready = std::mem::take(&mut *self.ready.borrow_mut());
        ready
            .into_iter()
            .flat_map(|(_, waiting)| waiting)
            .map(|(work, _)| work)
            .collect()
    }

    /// One line of the trace.
    pub(super) fn note(
        &self,
        now: i64,
        effect: &Effect<Work, Output>,
        object_of: impl Fn(ObjectIndex) -> Option<(&'static str, RawId)>,
    ) {
        let named = |object| match object_of(object) {
            Some((class, id)) => format!("{class} {}", &id.to_string()[..8]),
            None => "an object that is gone".to_owned(),
        };
        let line = match effect {
            Effect::Wake { object } => format!("wake {}", named(*object)),
            Effect::Start { object, work, .. } => {
                format!("start {} of {}", work.label(), named(*object))
            }
            Effect::Refuse { work, fault } => {
                format!("refuse {}: {}", work.label(), fault.summary().1)
            }
            Effect::Release { object, output } => {
                format!("release {} of {}", output.label(), named(*object))
            }
            Effect::Fail { output, fault } => {
                format!("fail {}: {}", output.label(), fault.summary().1)
            }
            Effect::Commit { objects, .. } => {
                let objects: Vec<String> = objects.iter().map(|object| named(*object)).collect();
                format!("commit {}", objects.join(", "))
            }
            Effect::FireAlarm { id } => format!("alarm {}", &id.to_string()[..8]),
            Effect::Leave {
                object,
                reset: None,
            } => format!("evict {}", named(*object)),
            Effect::Leave {
                object,
                reset: Some(fault),
            } => {
                format!("reset {}: {}", named(*object), fault.summary().1)
            }
            Effect::RequestCommit
            | Effect::UpdateIndex { .. }
            | Effect::Close { .. }
            | Effect::Forget { .. } => return,
        };
        self.trace.borrow_mut().push(format!("{now} {line}"));
    }

    /// A few steps of the others, as many as the seed says: where injected delays will go.
    pub(super) async fn delay(&self) {
        for _ in 0..=self.random.below(4) {
            yield_now().await;
        }
    }
}
