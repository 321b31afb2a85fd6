//! A run of an alarm.

use crate::time::Timestamp;

/// The tries of an object's runs whose writes the disk lost, in one event of its alarm after
/// another.
#[derive(Clone, Debug, Default)]
pub(crate) struct LostTries {
    /// The number of these events.
    pub(crate) events: u32,
    /// The last try of each run that was lost. Its count may be durable.
    pub(crate) tries: Vec<Try>,
}

/// A try of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Try {
    pub(crate) alarm: &'static str,
    pub(crate) key: String,
    /// 1 for the first one.
    pub(crate) count: u32,
}

/// Information about a run of an alarm. An alarm handler takes it as an argument `run: AlarmRun`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmRun {
    /// The time at which the run was due. It never starts earlier.
    pub scheduled: Timestamp,
    /// The number of failed tries before this one, 0 to 6.
    pub retry_count: u32,
    /// The key under which the run was scheduled. Empty if none was given.
    pub key: String,
}

impl AlarmRun {
    /// Returns `true` if an earlier try of this run failed.
    #[must_use]
    pub fn is_retry(&self) -> bool {
        self.retry_count > 0
    }
}
