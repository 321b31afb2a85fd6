//! What a kernel knows of one object.

use std::collections::VecDeque;

use super::gate::Gate;
use crate::object::id::RawId;

/// Where the object is between disk and memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    Absent,
    Waking,
    Resident,
    /// Out of memory, its last writes on their way to the disk.
    Leaving,
    /// Its database is being closed.
    Closing,
}

/// Where the writes of an alarm's run are that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UnsettledRun {
    /// Some are in the open transaction.
    Open,
    /// All are in the batch on its way to the disk, or before it.
    Committing,
}

#[derive(Debug)]
pub(super) struct Object<Work, Output> {
    pub(super) id: RawId,
    pub(super) presence: Presence,
    pub(super) mailbox: VecDeque<(Work, usize)>,
    /// Events that wait or run, and their bytes.
    pub(super) events: usize,
    pub(super) bytes: usize,
    pub(super) blocked: usize,
    pub(super) sockets: usize,
    pub(super) gate: Gate<Output>,
    pub(super) alarm: Indexed,
    /// A run of its alarm is over whose writes are not durable.
    pub(super) unsettled_run: Option<UnsettledRun>,
    pub(super) last_active: i64,
    /// A commit of its is on its way to the disk, perhaps one of which no outcome is awaited any more.
    /// Until the disk has answered, no other life may open the files that it writes to.
    pub(super) is_syncing: bool,
    /// Since when its database is being opened or closed.
    pub(super) moves_since: i64,
    /// Since when another thread has its database.
    pub(super) lent_since: Option<i64>,
    /// The one entry in the kernel's idle checks that counts.
    pub(super) idle_check_at: Option<i64>,
    /// The one entry in the kernel's disk checks that counts.
    pub(super) disk_check_at: Option<i64>,
}

impl<Work, Output> Object<Work, Output> {
    pub(super) fn new(id: RawId, now: i64) -> Self {
        Self {
            id,
            presence: Presence::Absent,
            mailbox: VecDeque::new(),
            events: 0,
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

    /// In memory with nothing to do: may leave without anybody noticing.
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

    /// Since when the object waits for the disk.
    pub(super) fn waits_for_disk_since(&self) -> Option<i64> {
        match self.presence {
            Presence::Waking | Presence::Closing => Some(self.moves_since),
            // Its last commit was given up.
            Presence::Leaving if self.gate.is_quiet() => Some(self.moves_since),
            _ => self.lent_since.or_else(|| self.gate.unsynced_since()),
        }
    }
}

/// What the index on disk holds of the object's alarm, and what a commit makes of it.
///
/// The index may wake an object too early but never too late: an earlier time is on disk before the
/// object's commit is made, a later one (or none) when the commit is durable. So wherever a crash falls,
/// the index holds a time at or before the one in the object's own database.
#[derive(Debug, Default)]
pub(super) struct Indexed {
    /// At or before this the index is known to wake the object.
    at: Option<i64>,
    /// On its way into the index.
    recording: Option<i64>,
    /// As read from the object's database just before its commit.
    committing: Option<Option<i64>>,
}

impl Indexed {
    /// The index is about to follow this alarm, or does: what is still on its way into it, earlier,
    /// will not be what it holds.
    pub(super) fn known(&mut self, at: Option<i64>) {
        self.at = at;
        self.recording = None;
    }

    /// Whether a commit that leaves this alarm may be made: the index wakes the object in time.
    fn covers(&self, alarm: Option<i64>) -> bool {
        alarm.is_none_or(|at| self.at.is_some_and(|indexed| indexed <= at))
    }

    /// What must be in the index before a commit that leaves this alarm: the alarm, or an earlier
    /// date if it is not to be later than that.
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

    /// This reached the index, or may not have. Whether it was still expected.
    pub(super) fn recorded(&mut self, at: i64, succeeded: bool) -> bool {
        let is_expected = self.recording == Some(at);
        if is_expected {
            self.known(succeeded.then_some(at));
        }
        is_expected
    }

    /// The commit leaves this alarm. False if the index does not cover it.
    pub(super) fn begin_commit(&mut self, alarm: Option<i64>) -> bool {
        self.committing = Some(alarm);
        self.covers(alarm)
    }

    /// The alarm that the durable commit left, if it changed it, and whether the index has to follow.
    pub(super) fn durable(&mut self) -> Option<(Option<i64>, bool)> {
        let alarm = self.committing.take()?;
        let index_follows = self.at != alarm;
        self.known(alarm);
        Some((alarm, index_follows))
    }

    /// The outcome of the commit is unknown; the alarm that it may have left.
    pub(super) fn lost(&mut self) -> Option<i64> {
        self.known(None);
        self.committing.take().flatten()
    }
}
