//! The limits of one kernel.

/// How much one shard accepts. The defaults are the embedded host's.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// How many events of one object may wait or run. Further ones are refused as overloaded (P73).
    pub(crate) mailbox_events: usize,
    /// How many bytes the arguments and bodies of those events may take, together with what the
    /// object sent that waits for the disk.
    pub(crate) mailbox_bytes: usize,
    /// The time without an event after which an object leaves memory (P19).
    pub(crate) idle_ms: i64,
    /// How many objects may be in memory, each with an open database. Above it, the least recently
    /// used idle one leaves.
    pub(crate) resident_objects: usize,
    /// How long the disk may take for a write before the object is reset (P10).
    pub(crate) commit_ms: i64,
    /// How many alarms are in memory. Later ones remain in the index.
    pub(crate) alarms: usize,
    /// How many runs of alarms may start at the same time.
    pub(crate) alarm_starts: usize,
    /// How many runs of alarms may be under way.
    pub(crate) alarm_runs: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            mailbox_events: 4_096,
            mailbox_bytes: 64 * 1024 * 1024,
            idle_ms: 10_000,
            resident_objects: 256,
            commit_ms: 30_000,
            alarms: 10_000,
            alarm_starts: 32,
            alarm_runs: 256,
        }
    }
}
