//! What the index of alarms keeps, and how that changes.

use super::super::kernel::{Pause, PausedAlarm};
use crate::object::id::RawId;

/// What the index keeps of an object with an alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) id: RawId,
    pub(crate) class: String,
    /// Under which the object is reached, so that its alarms know it too (P71).
    pub(crate) name: Option<String>,
    pub(crate) at: i64,
}

/// An alarm that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) id: RawId,
    pub(crate) class: String,
    pub(crate) at: i64,
    /// It failed and is to be tried again then.
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
    /// The alarm moved later or went. May be lost: an older entry only wakes an object too early.
    Follow(RawId, Option<i64>),
    /// The alarm failed and waits, until its entry changes. May be lost: it is tried too early then.
    Pause(PausedAlarm),
    /// All pauses end: their dates mean nothing once the clock was set.
    EndPauses,
}
