//! The bounds of one kernel.

/// How much one shard takes on. The defaults are the embedded host's.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// Events of one object that wait or run; the next one is refused as overloaded (P73).
    pub(crate) mailbox_events: usize,
    /// Bytes of those events' arguments and bodies, and of what it sent that waits for the disk.
    pub(crate) mailbox_bytes: usize,
    /// Time without an event after which an object leaves memory (P19).
    pub(crate) idle_ms: i64,
    /// Objects in memory, each with an open database; above it the least recently used idle one leaves.
    pub(crate) resident_objects: usize,
    /// How long the disk may take for a write before the object is reset (P10).
    pub(crate) commit_ms: i64,
    /// Alarms in memory; later ones stay in the index.
    pub(crate) alarms: usize,
    /// Alarms whose runs start at the same time.
    pub(crate) alarm_starts: usize,
    /// Alarms whose runs are under way.
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
