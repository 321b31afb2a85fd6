//! Records which handlers write.
//!
//! The platform opens a savepoint only around a whole call. Each one costs a commit, even if
//! nothing was written: a fifth of the time of a turn that reads. So a handler that has only read
//! so far runs without one. This is a guess: if such a handler does write, and its turn fails, only
//! a reset can roll the write back. After its first write, a handler always has a savepoint.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::platform::HandlerKey;

/// After this many runs without a write, a handler counts as one that only reads.
const LEARNING_RUNS: u8 = 8;

thread_local! {
    static HABITS: RefCell<HashMap<HandlerKey, Habit>> = RefCell::default();
}

#[derive(Clone, Copy)]
enum Habit {
    /// The number of runs so far, all without a write.
    ReadSoFar(u8),
    Writes,
}

/// Whether the next run of this handler may skip the savepoint.
pub(in super::super) fn only_reads(handler: HandlerKey) -> bool {
    let habit = HABITS.with_borrow(|habits| habits.get(&handler).copied());
    matches!(habit, Some(Habit::ReadSoFar(LEARNING_RUNS..)))
}

/// Records that a turn of this handler writes.
pub(in super::super) fn note_write(handler: HandlerKey) {
    HABITS.with_borrow_mut(|habits| habits.insert(handler, Habit::Writes));
}

/// Records that a turn of this handler has ended without a write since its last await.
pub(in super::super) fn note_end(handler: HandlerKey) {
    HABITS.with_borrow_mut(|habits| {
        let habit = habits.entry(handler).or_insert(Habit::ReadSoFar(0));
        if let Habit::ReadSoFar(runs) = habit {
            *runs = runs.saturating_add(1);
        }
    });
}
