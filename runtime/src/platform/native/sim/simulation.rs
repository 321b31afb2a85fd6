//! What makes a shard's order of events a matter of the seed, and writes it down.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;

use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::yield_now;

use super::super::kernel::{Effect, ObjectIndex};
use super::super::random::SplitMix;
use super::super::work::{Inbound, Output, Work};
use crate::id::RawId;

/// The seeded part of a simulated shard.
pub(in super::super) struct Simulation {
    random: SplitMix,
    ready: RefCell<Vec<Ready>>,
    /// What the disk answers.
    inbox: RefCell<UnboundedReceiver<Inbound>>,
    /// Counts the crashes.
    machine: Cell<Machine>,
    /// Tests of the host have a disk that does not answer for a while.
    #[cfg(test)]
    hang: (Cell<bool>, Notify),
    pub(in super::super) some_ready: Notify,
    pub(in super::super) trace: RefCell<Vec<String>>,
}

/// One run of the simulated host, from its start to a crash.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Machine(u64);

/// Work of one object that may start, in its order, and the work's bytes.
type Ready = (ObjectIndex, VecDeque<(Work, usize)>);

impl Simulation {
    pub(in super::super) fn new(seed: u64, inbox: UnboundedReceiver<Inbound>) -> Self {
        Self {
            random: SplitMix::new(seed),
            ready: RefCell::default(),
            inbox: RefCell::new(inbox),
            machine: Cell::new(Machine(0)),
            #[cfg(test)]
            hang: (Cell::new(false), Notify::new()),
            some_ready: Notify::new(),
            trace: RefCell::default(),
        }
    }

    /// Work that may start; that of one object keeps its order.
    pub(in super::super) fn ready(&self, object: ObjectIndex, work: Work, bytes: usize) {
        let mut ready = self.ready.borrow_mut();
        match ready.iter_mut().find(|(known, _)| *known == object) {
            Some((_, waiting)) => waiting.push_back((work, bytes)),
            None => ready.push((object, VecDeque::from([(work, bytes)]))),
        }
        self.some_ready.notify_one();
    }

    /// The next piece of work, of an object chosen by the seed.
    pub(in super::super) fn pick(&self) -> Option<(ObjectIndex, Work, usize)> {
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

    /// The next answer of the disk, and the machine that it is for.
    pub(in super::super) async fn receive(&self) -> Option<(Inbound, Machine)> {
        let inbound = poll_fn(|context| self.inbox.borrow_mut().poll_recv(context)).await?;
        Some((inbound, self.machine.get()))
    }

    #[cfg(test)]
    pub(in super::super) fn let_the_disk_hang(&self, hangs: bool) {
        self.hang.0.set(hangs);
        self.hang.1.notify_waiters();
    }

    #[cfg(test)]
    pub(in super::super) async fn while_the_disk_hangs(&self) {
        while self.hang.0.get() {
            self.hang.1.notified().await;
        }
    }

    pub(in super::super) fn is_running(&self, machine: Machine) -> bool {
        self.machine.get() == machine
    }

    /// All that was ready is lost in a crash, and so are the answers on their way.
    pub(in super::super) fn crash(&self) -> Vec<Work> {
        self.machine.set(Machine(self.machine.get().0 + 1));
        while self.inbox.borrow_mut().try_recv().is_ok() {}
        let ready = std::mem::take(&mut *self.ready.borrow_mut());
        ready
            .into_iter()
            .flat_map(|(_, waiting)| waiting)
            .map(|(work, _)| work)
            .collect()
    }

    /// One line of the trace.
    pub(in super::super) fn note(
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
            Effect::Commit { objects } => {
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
            | Effect::LoadAlarms
            | Effect::Close { .. }
            | Effect::Forget { .. } => return,
        };
        self.trace.borrow_mut().push(format!("{now} {line}"));
    }

    /// A few steps of the others, as many as the seed says: where injected delays will go.
    pub(in super::super) async fn delay(&self) {
        for _ in 0..=self.random.below(4) {
            yield_now().await;
        }
    }
}
