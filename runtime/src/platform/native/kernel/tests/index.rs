//! The model's index of alarms. Another thread changes it, one change at a time.

use std::collections::{BTreeMap, VecDeque};

use crate::object::id::RawId;
use crate::platform::native::kernel::{IndexedAlarm, ObjectIndex, Pause, PausedAlarm};

#[derive(Default)]
pub(super) struct ModelIndex {
    alarms: BTreeMap<RawId, i64>,
    pauses: BTreeMap<RawId, Pause>,
    /// The changes in flight.
    changes: VecDeque<Change>,
}

pub(super) enum Change {
    /// Alarms that commits wait for.
    Record(Vec<(ObjectIndex, RawId, i64)>),
    Follow(RawId, Option<i64>),
    Pause(PausedAlarm),
}

impl ModelIndex {
    pub(super) fn send(&mut self, change: Change) {
        self.changes.push_back(change);
    }

    pub(super) fn is_behind(&self) -> bool {
        !self.changes.is_empty()
    }

    /// Takes the next change, for [`make`](Self::make) unless it fails.
    pub(super) fn next_change(&mut self) -> Option<Change> {
        self.changes.pop_front()
    }

    pub(super) fn make(&mut self, change: &Change) {
        match change {
            Change::Record(entries) => {
                for (_, id, at) in entries {
                    let indexed = self.alarms.entry(*id).or_insert(*at);
                    *indexed = *at.min(indexed);
                    self.pauses.remove(id);
                }
            }
            Change::Follow(id, at) => {
                self.pauses.remove(id);
                match at {
                    Some(at) => self.alarms.insert(*id, *at),
                    None => self.alarms.remove(id),
                };
            }
            Change::Pause(PausedAlarm { id, pause }) => drop(self.pauses.insert(*id, *pause)),
        }
    }

    /// Loses the changes in flight.
    pub(super) fn crash(&mut self) {
        self.changes.clear();
    }

    pub(super) fn find(&self, id: RawId) -> Option<i64> {
        self.alarms.get(&id).copied()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.alarms.is_empty()
    }

    pub(super) fn all(&self) -> Vec<IndexedAlarm> {
        let indexed = |(id, at): (&RawId, &i64)| IndexedAlarm {
            id: *id,
            at: *at,
            pause: self.pauses.get(id).copied(),
        };
        self.alarms.iter().map(indexed).collect()
    }
}
