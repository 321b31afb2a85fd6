//! One run of an alarm.

use crate::time::Timestamp;

/// What an alarm handler may know of its run; take it as an argument `run: AlarmRun`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmRun {
    /// When the run was due. It never starts earlier.
    pub scheduled: Timestamp,
    /// How many tries failed before this one, 0 to 6.
    pub retry_count: u32,
    /// The key it was scheduled under; empty unless one was given.
    pub key: String,
}

impl AlarmRun {
    /// Whether an earlier try of this run failed.
    #[must_use]
    pub fn is_retry(&self) -> bool {
        self.retry_count > 0
    }
}
