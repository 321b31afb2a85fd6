//! The entries of the index of alarms, and their changes.

use super::super::kernel::{Pause, PausedAlarm};
use crate::object::id::RawId;

/// The entry of an object with an alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) id: RawId,
    pub(crate) class: String,
    /// The name by which the object is reached. Its alarms need it, too (P71).
    pub(crate) name: Option<String>,
    pub(crate) at: i64,
}

/// An alarm that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) id: RawId,
    pub(crate) class: String,
    pub(crate) at: i64,
    /// Set if it failed. It is retried when the pause ends.
    pub(crate) pause: Option<Pause>,
}

impl Due {
    /// When there is something to do.
    pub(crate) fn date(&self) -> i64 {
        self.pause.map_or(self.at, |pause| pause.until)
    }
}

/// A change of the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Adds an entry, or brings its date forward. On disk when the write has returned.
    Record(Entry),
    /// The alarm was moved later or removed. This may be lost: an older entry only wakes an object
    /// too early.
    Follow(RawId, Option<i64>),
    /// The alarm failed and waits until its entry changes. This may be lost: the alarm is then
    /// retried too early.
    Pause(PausedAlarm),
    /// Ends all pauses, because their dates are meaningless after the clock was set.
    EndPauses,
}
