//! What happens to a kernel, and what it asks for.

use crate::fault::Fault;
use crate::id::RawId;

/// An object known to a kernel. Valid until [`Effect::Forget`] names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ObjectIndex(pub(crate) usize);

/// How the run of an alarm ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum AlarmOutcome {
    /// The handler ran to its end.
    Done,
    /// The index was behind: the object's own database has another alarm, or none.
    Stale { actual: Option<i64> },
    /// It was cut short and is to be repeated; `random` spreads the retries.
    Failed { random: u32 },
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
    /// The object is in memory; its alarm as its own database has it.
    Woken {
        object: ObjectIndex,
        alarm: Option<i64>,
    },
    /// The object could not be brought into memory.
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
    /// The object wrote to its storage.
    Wrote {
        object: ObjectIndex,
    },
    /// The object changed its alarm: a write, so `Wrote` comes with it.
    AlarmChanged {
        object: ObjectIndex,
        at: Option<i64>,
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
    /// Alarms from the index on disk.
    AlarmsLoaded {
        alarms: Vec<(RawId, i64)>,
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
    /// There are writes: send `Settled` as soon as no other work is ready.
    RequestCommit,
    /// Record these alarms in the index, durably; then commit these objects and sync them together.
    /// `CommitFailed` answers single failures, `Synced` the whole.
    Commit {
        objects: Vec<ObjectIndex>,
        alarms: Vec<(ObjectIndex, i64)>,
    },
    /// The index may follow: these alarms are later than it says, or gone.
    UpdateIndex { alarms: Vec<(RawId, Option<i64>)> },
    /// Run the alarm of this object; `AlarmFinished` answers.
    FireAlarm { id: RawId },
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
