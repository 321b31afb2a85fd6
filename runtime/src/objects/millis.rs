//! Durations as the objects' requests and answers have them. The objects use nothing that the crate
//! keeps to itself, and so have this of their own.

use std::time::Duration;

/// Whole milliseconds; the largest number if there are more.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
