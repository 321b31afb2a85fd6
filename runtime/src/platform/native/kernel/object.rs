//! What a kernel knows of one object.

use std::collections::VecDeque;

use super::gate::Gate;
use crate::id::RawId;

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
    pub(super) alarm: AlarmWrites,
    pub(super) last_active: i64,
    /// The one entry in the kernel's idle checks that counts.
    pub(super) idle_check_at: Option<i64>,
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
            alarm: AlarmWrites::default(),
            last_active: now,
            idle_check_at: None,
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
        self.presence == Presence::Absent && self.events == 0 && self.sockets == 0
    }
}

/// The object's alarm on its way to the disk.
///
/// The index on disk may wake an object too early but never too late: an earlier time is recorded
/// before the object's commit, a later one (or none) after it. So wherever a crash falls, the
/// index holds a time at or before the one in the object's own database.
#[derive(Debug, Default)]
pub(super) struct AlarmWrites {
    /// At or before this the index is known to wake the object.
    indexed: Option<i64>,
    /// Set in the open transaction.
    open: Option<Option<i64>>,
    /// Set in the transaction being committed.
    committing: Option<Option<i64>>,
}

impl AlarmWrites {
    /// `alarm` is what the object's database held before the wake, which may have set another.
    pub(super) fn woken(&mut self, alarm: Option<i64>) {
        self.indexed = alarm;
    }

    pub(super) fn change(&mut self, at: Option<i64>) {
        self.open = Some(at);
    }

    /// What must be in the index before the commit.
    pub(super) fn begin_commit(&mut self) -> Option<i64> {
        self.committing = self.open.take();
        let at = self.committing.flatten()?;
        if self.indexed.is_some_and(|indexed| indexed <= at) {
            return None;
        }
        self.indexed = Some(at);
        Some(at)
    }

    /// What the committed transaction changed, and whether the index has to follow.
    pub(super) fn durable(&mut self) -> Option<(Option<i64>, bool)> {
        let at = self.committing.take()?;
        let index_follows = self.indexed != at;
        self.indexed = at;
        Some((at, index_follows))
    }

    pub(super) fn discard_open(&mut self) {
        self.open = None;
    }

    pub(super) fn discard_all(&mut self) {
        self.open = None;
        self.committing = None;
    }
}
