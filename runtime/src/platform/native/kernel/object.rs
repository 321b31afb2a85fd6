//! The kernel's state of one object.

use std::collections::VecDeque;

use super::gate::Gate;
use crate::object::id::RawId;

/// The object's position between disk and memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    Absent,
    Waking,
    Resident,
    /// Out of memory. Its last writes are in flight to the disk.
    Leaving,
    /// Its database is being closed.
    Closing,
}

/// Where the writes of an alarm's finished run are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UnsettledRun {
    /// Some are in the open transaction.
    Open,
    /// All are in the batch in flight to the disk, or before it.
    Committing,
}

#[derive(Debug)]
pub(super) struct Object<Work, Output> {
    pub(super) id: RawId,
    pub(super) presence: Presence,
    pub(super) mailbox: VecDeque<(Work, usize)>,
    /// The events that wait or run, and their bytes.
    pub(super) events: usize,
    /// The bodies among them.
    pub(super) streams: usize,
    pub(super) bytes: usize,
    pub(super) blocked: usize,
    pub(super) sockets: usize,
    pub(super) gate: Gate<Output>,
    pub(super) alarm: Indexed,
    /// Set after a run of its alarm has ended, until the run's writes are durable.
    pub(super) unsettled_run: Option<UnsettledRun>,
    pub(super) last_active: i64,
    /// A commit of the object is in flight to the disk, possibly one whose outcome is no longer
    /// awaited. Until the disk has answered, no other activation may open the files that it writes
    /// to.
    pub(super) is_syncing: bool,
    /// Since when its database has been opening or closing.
    pub(super) moves_since: i64,
    /// Since when another thread has had its database.
    pub(super) lent_since: Option<i64>,
    /// The one valid entry in the kernel's idle checks.
    pub(super) idle_check_at: Option<i64>,
    /// The one valid entry in the kernel's disk checks.
    pub(super) disk_check_at: Option<i64>,
}

impl<Work, Output> Object<Work, Output> {
    pub(super) fn new(id: RawId, now: i64) -> Self {
        Self {
            id,
            presence: Presence::Absent,
            mailbox: VecDeque::new(),
            events: 0,
            streams: 0,
            bytes: 0,
            blocked: 0,
            sockets: 0,
            gate: Gate::new(),
            alarm: Indexed::default(),
            unsettled_run: None,
            last_active: now,
            is_syncing: false,
            moves_since: now,
            lent_since: None,
            idle_check_at: None,
            disk_check_at: None,
        }
    }

    pub(super) fn takes_work(&self) -> bool {
        self.presence == Presence::Resident && self.blocked == 0
    }

    /// Whether it is in memory with nothing to do, and may be evicted.
    pub(super) fn is_idle(&self) -> bool {
        self.presence == Presence::Resident
            && self.events == 0
            && self.blocked == 0
            && self.gate.is_quiet()
    }

    pub(super) fn is_forgettable(&self) -> bool {
        self.presence == Presence::Absent
            && self.events == 0
            && self.blocked == 0
            && self.sockets == 0
            && self.gate.is_quiet()
    }

    /// Returns since when the object has waited for the disk.
    pub(super) fn waits_for_disk_since(&self) -> Option<i64> {
        match self.presence {
            Presence::Waking | Presence::Closing => Some(self.moves_since),
            // Its last commit was given up.
            Presence::Leaving if self.gate.is_quiet() => Some(self.moves_since),
            _ => self.lent_since.or_else(|| self.gate.unsynced_since()),
        }
    }
}

/// The object's alarm as the index on disk holds it, and as a commit changes it.
///
/// The index may wake an object too early but never too late. An earlier time is written to the
/// index before the object's commit is made. A later one (or none) is written after the commit is
/// durable. So after a crash at any point, the index holds a time at or before the one in the
/// object's own database.
#[derive(Debug, Default)]
pub(super) struct Indexed {
    /// The index is known to wake the object at or before this time.
    at: Option<i64>,
    /// The date that is being written to the index.
    recording: Option<i64>,
    /// The alarm read from the object's database just before its commit.
    committing: Option<Option<i64>>,
}

impl Indexed {
    /// Records that the index follows this alarm, or soon will. An earlier date that is still being
    /// written to it will be replaced.
    pub(super) fn known(&mut self, at: Option<i64>) {
        self.at = at;
        self.recording = None;
    }

    /// Whether a commit with this alarm may be made, because the index wakes the object in time.
    fn covers(&self, alarm: Option<i64>) -> bool {
        alarm.is_none_or(|at| self.at.is_some_and(|indexed| indexed <= at))
    }

    /// Returns what must be in the index before a commit with this alarm: the alarm, or `latest` if
    /// that is earlier.
    pub(super) fn begin_recording(
        &mut self,
        alarm: Option<i64>,
        latest: Option<i64>,
    ) -> Option<i64> {
        if self.covers(alarm) {
            return None;
        }
        self.recording = alarm.map(|at| latest.map_or(at, |latest| latest.min(at)));
        self.recording
    }

    /// Records that this date reached the index, or may not have. Returns whether it was still
    /// expected.
    pub(super) fn recorded(&mut self, at: i64, succeeded: bool) -> bool {
        let is_expected = self.recording == Some(at);
        if is_expected {
            self.known(succeeded.then_some(at));
        }
        is_expected
    }

    /// Records that the commit has this alarm. Returns `false` if the index does not cover it.
    pub(super) fn begin_commit(&mut self, alarm: Option<i64>) -> bool {
        self.committing = Some(alarm);
        self.covers(alarm)
    }

    /// Returns the alarm that the durable commit left, if it changed it, and whether the index must
    /// follow.
    pub(super) fn durable(&mut self) -> Option<(Option<i64>, bool)> {
        let alarm = self.committing.take()?;
        let index_follows = self.at != alarm;
        self.known(alarm);
        Some((alarm, index_follows))
    }

    /// Records that the commit's outcome is unknown. Returns the alarm that it may have left.
    pub(super) fn lost(&mut self) -> Option<i64> {
        self.known(None);
        self.committing.take().flatten()
    }
}
