//! What happens to a kernel, and what it asks for.

use super::timetable::{IndexedAlarm, PausedAlarm};
use crate::error::fault::Fault;
use crate::object::id::RawId;

/// An object known to a kernel. Valid until [`Effect::Forget`] names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ObjectIndex(pub(crate) usize);

/// How the run of an alarm ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum AlarmOutcome {
    /// The handler ran to its end.
    Done,
    /// Nothing ran: the object's own database, with its open transaction, has another alarm, or none.
    Stale { actual: Option<i64> },
    /// It could not start or was cut short, and is to be repeated; `random` spreads the retries.
    Failed { random: u32 },
    /// The object cannot be found at present: the index cannot be read, or the app lacks the class.
    Postponed,
}

/// Something happened. `Work` is what objects do (calls, requests, messages), `Output` what they
/// send; the kernel keeps and orders both and looks into neither.
#[derive(Debug)]
pub(crate) enum Event<Work, Output> {
    /// Work for an object came in; `bytes` is its size.
    Arrived {
        object: ObjectIndex,
        work: Work,
        bytes: usize,
    },
    /// The end of one of the object's sockets, or its error. Taken also by a full mailbox: there are
    /// no more of these than the object has sockets, and nothing else would tell it.
    SocketEnded {
        object: ObjectIndex,
        work: Work,
    },
    /// The object goes on in the background with work that did not come from outside.
    Continued {
        object: ObjectIndex,
    },
    /// Started work of this size came to its end, or was dropped by a reset; background work has none.
    Finished {
        object: ObjectIndex,
        bytes: usize,
    },
    /// The object is in memory; its alarm as its own database had it before it woke, and what the
    /// index holds, if that is known.
    Woken {
        object: ObjectIndex,
        alarm: Option<i64>,
        indexed: Option<i64>,
    },
    /// The object could not be brought into memory. What it wrote was rolled back.
    WakeFailed {
        object: ObjectIndex,
        fault: Fault,
    },
    /// New work is to wait (P14), until as many `Unblocked` events came.
    Blocked {
        object: ObjectIndex,
    },
    Unblocked {
        object: ObjectIndex,
    },
    /// Another thread has the object's database: new work is to wait until `TakenBack`.
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
    /// The host has no other work ready: time to commit.
    Settled,
    /// The commit of an object failed and its transaction was rolled back.
    CommitFailed {
        object: ObjectIndex,
        fault: Fault,
    },
    /// The commits of the batch on its way reached the disk, except for these objects.
    Synced {
        failed: Vec<(ObjectIndex, Fault)>,
    },
    /// The object cannot go on. With `discard`, its open transaction was rolled back.
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
    /// A socket was accepted by the object, or is gone. Sockets outlive evictions.
    SocketOpened {
        object: ObjectIndex,
    },
    SocketClosed {
        object: ObjectIndex,
    },
    /// The index is about to be read: its alarms up to this date.
    AlarmsLoading {
        until: i64,
    },
    /// Alarms from the index on disk; `last` ends the reading.
    AlarmsLoaded {
        alarms: Vec<IndexedAlarm>,
        last: bool,
    },
    AlarmFinished {
        id: RawId,
        outcome: AlarmOutcome,
    },
    /// Time passed; come back at [`Kernel::next_due`](super::Kernel::next_due).
    Tick,
    /// No alarm is to fire from now on; work still comes in until the host stops.
    Draining,
}

impl<Work, Output> Event<Work, Output> {
    /// The object that this is about, if it names one.
    pub(super) fn object(&self) -> Option<ObjectIndex> {
        match self {
            Self::Arrived { object, .. }
            | Self::Continued { object }
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
            | Self::AlarmsLoading { .. }
            | Self::AlarmsLoaded { .. }
            | Self::AlarmFinished { .. }
            | Self::Tick
            | Self::Draining => None,
        }
    }
}

/// What the host is to do, in order.
#[derive(Debug)]
pub(crate) enum Effect<Work, Output> {
    /// Open the object's database and bring it into memory; `Woken` or `WakeFailed` answers.
    Wake { object: ObjectIndex },
    /// Run this; `Finished` answers.
    Start {
        object: ObjectIndex,
        work: Work,
        bytes: usize,
    },
    /// Answer this with the fault; it was never started.
    Refuse { work: Work, fault: Fault },
    /// Send this: the writes before it are on disk.
    Release { object: ObjectIndex, output: Output },
    /// Do not send this, tell those who wait for it.
    Fail { output: Output, fault: Fault },
    /// There are writes: send `Settled` as soon as no other work is ready, and the index holds the
    /// changed alarms that [`alarms_to_record`](super::Kernel::alarms_to_record) names, durably.
    RequestCommit,
    /// Commit these objects and sync them together. Tell of the alarms that they changed with
    /// [`alarm_committing`](super::Kernel::alarm_committing). `CommitFailed` answers single failures,
    /// `Synced` the whole.
    Commit { objects: Vec<ObjectIndex> },
    /// The index may follow: these alarms are later than it says, or gone.
    UpdateIndex { alarms: Vec<(RawId, Option<i64>)> },
    /// These alarms failed and there is no room for them: the index is to keep their pauses.
    PauseInIndex { alarms: Vec<PausedAlarm> },
    /// Run the alarm of this object; `AlarmFinished` answers.
    FireAlarm { id: RawId },
    /// There is room for more of the index's alarms.
    LoadAlarms,
    /// Drop the object from memory. With a fault, what it runs fails with it and its sockets are dropped (P62).
    Leave {
        object: ObjectIndex,
        reset: Option<Fault>,
    },
    /// Close the object's database; `Closed` answers.
    Close { object: ObjectIndex },
    /// Nothing is left of the object; its index may be used again.
    Forget { object: ObjectIndex },
}
