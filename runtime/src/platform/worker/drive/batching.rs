//! Events that share a commit.
//!
//! workerd commits after every event that wrote, and waits for the disk meanwhile. This takes half
//! of the time of a request that changes a counter. Writes without an await between them commit
//! together (P12). So events that arrive at about the same time are held until the last of them has
//! arrived, and their turns run consecutively. The hold ends when the platform has nothing else to
//! do.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::mem;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use super::super::clock;
use super::memory::Memory;
use super::tasks;
use super::timer::Sleep;

/// An object that wrote at most this many milliseconds ago will probably write again. An object
/// that only reads has no commits to share. One that is called rarely has no events to share them
/// with.
const BUSY_MS: i64 = 10;

/// A round that only one event joined was useless. If a single caller waits for every answer, all
/// rounds are. After such a round, one event skips the round. Each further such round doubles the
/// number of skips, up to this limit.
const MOST_WITHOUT: u32 = 16;

/// The events of one object that wait for each other.
#[derive(Default)]
pub(in super::super) struct Batching {
    last_write: Cell<i64>,
    /// The number of rounds that have ended.
    round: Cell<u32>,
    /// Whether a round is open. Every event that arrives joins it, so that none overtakes.
    is_open: Cell<bool>,
    /// The number of events in the open round.
    members: Cell<u32>,
    /// How many events still skip the round, and how many did at first.
    without: Cell<u32>,
    without_at_first: Cell<u32>,
    waiting: RefCell<Vec<Waker>>,
}

impl Batching {
    pub(in super::super) fn note_write(&self) {
        self.last_write.set(clock::now());
    }

    /// Whether the next event should open a round.
    fn is_worth_it(&self) -> bool {
        if clock::now() - self.last_write.get() > BUSY_MS {
            return false;
        }
        let without = self.without.get();
        self.without.set(without.saturating_sub(1));
        without == 0
    }

    fn end_round(&self) {
        self.is_open.set(false);
        let without = match self.members.replace(0) {
            1 => (self.without_at_first.get() * 2).clamp(1, MOST_WITHOUT),
            _ => 0,
        };
        self.without.set(without);
        self.without_at_first.set(without);
        self.round.set(self.round.get().wrapping_add(1));
        for waker in mem::take(&mut *self.waiting.borrow_mut()) {
            waker.wake();
        }
    }
    /// Waits for the events that arrive together with this one, if the object is busy writing.
    pub(in super::super) async fn gather(self: &Rc<Self>, memory: &Memory) {
        if !self.is_open.get() {
            if !self.is_worth_it() {
                return;
            }
            self.is_open.set(true);
            let batching = Rc::clone(self);
            let end = async move {
                // A timer of zero fires after everything that has arrived was delivered.
                Sleep::new(Duration::ZERO).await;
                batching.end_round();
            };
            tasks::spawn(Some(memory.clone()), Box::pin(end));
        }
        self.members.set(self.members.get() + 1);
        let round = self.round.get();
        poll_fn(|context| {
            if self.round.get() != round {
                return Poll::Ready(());
            }
            self.waiting.borrow_mut().push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}
