//! Which handlers write.
//!
//! The platform opens a savepoint for a whole call only, and each one costs a commit, even if nothing
//! was written: a fifth of the time of a turn that reads. So a handler that only ever reads goes
//! without. It is a guess: when such a handler writes after all, and its turn fails, only a reset can
//! take the write back. From its first write on a handler always has a savepoint.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::platform::HandlerKey;

/// Runs without a write after which a handler counts as one that reads.
const LEARNING_RUNS: u8 = 8;

thread_local! {
    static HABITS: RefCell<HashMap<HandlerKey, Habit>> = RefCell::default();
}

#[derive(Clone, Copy)]
enum Habit {
    /// It has not written in so many runs.
    ReadSoFar(u8),
    Writes,
}

/// Whether the next run of this handler may go without a savepoint.
pub(in super::super) fn only_reads(handler: HandlerKey) -> bool {
    let habit = HABITS.with_borrow(|habits| habits.get(&handler).copied());
    matches!(habit, Some(Habit::ReadSoFar(LEARNING_RUNS..)))
}

/// A turn of this handler writes.
pub(in super::super) fn note_write(handler: HandlerKey) {
    HABITS.with_borrow_mut(|habits| habits.insert(handler, Habit::Writes));
}

/// A turn of this handler has ended, without a write since its last await.
pub(in super::super) fn note_end(handler: HandlerKey) {
    HABITS.with_borrow_mut(|habits| {
        let habit = habits.entry(handler).or_insert(Habit::ReadSoFar(0));
        if let Habit::ReadSoFar(runs) = habit {
            *runs = runs.saturating_add(1);
        }
    });
}
