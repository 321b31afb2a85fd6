//! The events of a kernel, and the effects that it requests.

use super::timetable::{IndexedAlarm, PausedAlarm};
use crate::error::fault::Fault;
use crate::object::id::RawId;
use crate::schedule::run::Try;

/// An object that is known to a kernel. Valid until [`Effect::Forget`] names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ObjectIndex(pub(crate) usize);

/// How the run of an alarm ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum AlarmOutcome {
    /// The handler ran to completion.
    Done,
    /// The object was reached, and none of its runs was due.
    NothingDue,
    /// Nothing ran. The object's own database, including its open transaction, has another alarm or
    /// none.
    Stale { actual: Option<i64> },
    /// It could not start or was cut short, and must be repeated. `random` spreads the retries.
    Failed { random: u32 },
    /// The disk lost what it wrote, and it must be repeated.
    Lost { random: u32 },
    /// The object cannot be found at present, because the index cannot be read or the app lacks the
    /// class.
    Postponed,
}

/// An event. `Work` is what objects do (calls, requests, messages), and `Output` is what they send.
/// The kernel stores and orders both without inspecting them.
#[derive(Debug)]
pub(crate) enum Event<Work, Output> {
    /// Work for an object arrived. `bytes` is its size.
    Arrived {
        object: ObjectIndex,
        work: Work,
        bytes: usize,
    },
    /// One of the object's sockets has ended or failed. This is accepted even by a full mailbox:
    /// there is at most one such event for each socket of the object, and no other event would tell
    /// it.
    SocketEnded {
        object: ObjectIndex,
        work: Work,
    },
    /// The object continues in the background with work that did not come from outside.
    Continued {
        object: ObjectIndex,
    },
    /// The object produces the body of a response. It stays in memory meanwhile. A body takes no
    /// place in the mailbox, because its reader may keep it open for long: connections bound their
    /// number.
    StreamOpened {
        object: ObjectIndex,
    },
    /// A body has ended, or was dropped by a reset.
    StreamEnded {
        object: ObjectIndex,
    },
    /// Started work of this size has ended, or was dropped by a reset. Background work has no size.
    Finished {
        object: ObjectIndex,
        bytes: usize,
    },
    /// The object is in memory. Contains its alarm as its own database had it before it woke, and
    /// what the index holds, if that is known.
    Woken {
        object: ObjectIndex,
        alarm: Option<i64>,
        indexed: Option<i64>,
    },
    /// The object could not be brought into memory. Its writes were rolled back.
    WakeFailed {
        object: ObjectIndex,
        fault: Fault,
    },
    /// New work must wait (P14) until as many `Unblocked` events have arrived.
    Blocked {
        object: ObjectIndex,
    },
    Unblocked {
        object: ObjectIndex,
    },
    /// Another thread has the object's database. New work must wait until `TakenBack`.
    Lent {
        object: ObjectIndex,
    },
    TakenBack {
        object: ObjectIndex,
    },
    /// The object wrote to its storage.
    Wrote {
        object: ObjectIndex,
    },
    /// The object sends something.
    Emitted {
        object: ObjectIndex,
        output: Output,
    },
    /// The host has no other ready work. It is time to commit.
    Settled,
    /// The commit of an object failed and its transaction was rolled back.
    CommitFailed {
        object: ObjectIndex,
        fault: Fault,
    },
    /// The commits of the batch in flight are on disk, except those of these objects.
    Synced {
        failed: Vec<(ObjectIndex, Fault)>,
    },
    /// The object cannot continue. With `discard`, its open transaction was rolled back.
    Reset {
        object: ObjectIndex,
        fault: Fault,
        discard: bool,
    },
    /// The object's database is closed.
    Closed {
        object: ObjectIndex,
    },
    /// The object should leave memory now if it is idle.
    EvictionRequested {
        object: ObjectIndex,
    },
    /// The object has accepted a socket, or a socket is gone. Sockets outlive evictions.
    SocketOpened {
        object: ObjectIndex,
    },
    SocketClosed {
        object: ObjectIndex,
    },
    /// A run is about to be tried.
    TryBegins {
        id: RawId,
        next: Try,
    },
    /// The index is about to be read, up to this date.
    AlarmsLoading {
        until: i64,
    },
    /// Alarms from the index on disk. `last` ends the reading.
    AlarmsLoaded {
        alarms: Vec<IndexedAlarm>,
        last: bool,
    },
    AlarmFinished {
        id: RawId,
        outcome: AlarmOutcome,
    },
    /// Time has passed. The next tick is due at [`Kernel::next_due`](super::Kernel::next_due).
    Tick,
    /// No alarm may fire from now on. Work still arrives until the host stops.
    Draining,
}

impl<Work, Output> Event<Work, Output> {
    /// Returns the object of this event, if it names one.
    pub(super) fn object(&self) -> Option<ObjectIndex> {
        match self {
            Self::Arrived { object, .. }
            | Self::Continued { object }
            | Self::StreamOpened { object }
            | Self::StreamEnded { object }
            | Self::Finished { object, .. }
            | Self::Woken { object, .. }
            | Self::WakeFailed { object, .. }
            | Self::Blocked { object }
            | Self::Lent { object }
            | Self::TakenBack { object }
            | Self::SocketEnded { object, .. }
            | Self::Unblocked { object }
            | Self::Wrote { object }
            | Self::Emitted { object, .. }
            | Self::CommitFailed { object, .. }
            | Self::Reset { object, .. }
            | Self::Closed { object }
            | Self::EvictionRequested { object }
            | Self::SocketOpened { object }
            | Self::SocketClosed { object } => Some(*object),
            Self::Settled
            | Self::Synced { .. }
            | Self::TryBegins { .. }
            | Self::AlarmsLoading { .. }
            | Self::AlarmsLoaded { .. }
            | Self::AlarmFinished { .. }
            | Self::Tick
            | Self::Draining => None,
        }
    }
}

/// What the host must do, in order.
#[derive(Debug)]
pub(crate) enum Effect<Work, Output> {
    /// Open the object's database and bring it into memory. `Woken` or `WakeFailed` answers.
    Wake { object: ObjectIndex },
    /// Run this work. `Finished` answers.
    Start {
        object: ObjectIndex,
        work: Work,
        bytes: usize,
    },
    /// Answer this work with the fault. It was never started.
    Refuse { work: Work, fault: Fault },
    /// Send this output. The writes before it are on disk.
    Release { object: ObjectIndex, output: Output },
    /// Do not send this output. Tell those that wait for it.
    Fail { output: Output, fault: Fault },
    /// There are writes. Send `Settled` as soon as no other work is ready and the index durably
    /// holds the changed alarms that [`alarms_to_record`](super::Kernel::alarms_to_record) names.
    RequestCommit,
    /// Commit these objects and sync them together. Report the alarms that they changed with
    /// [`alarm_committing`](super::Kernel::alarm_committing). `CommitFailed` reports single
    /// failures, `Synced` answers the whole batch.
    Commit { objects: Vec<ObjectIndex> },
    /// Update the index, which may be done later: these alarms are later than it says, or gone.
    UpdateIndex { alarms: Vec<(RawId, Option<i64>)> },
    /// These alarms failed and there is no room for them. The index must keep their pauses.
    PauseInIndex { alarms: Vec<PausedAlarm> },
    /// Run the alarm of this object. `AlarmFinished` answers.
    FireAlarm { id: RawId },
    /// Load more of the index's alarms, because there is room for them.
    LoadAlarms,
    /// Drop the object from memory. With a fault, everything that it runs fails with the fault, and
    /// its sockets are dropped (P62).
    Leave {
        object: ObjectIndex,
        reset: Option<Fault>,
    },
    /// Close the object's database. `Closed` answers.
    Close { object: ObjectIndex },
    /// Nothing of the object remains. Its index may be reused.
    Forget { object: ObjectIndex },
}
