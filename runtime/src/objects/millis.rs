//! Durations as the objects' requests and answers have them.

use std::time::Duration;

/// Whole milliseconds; the largest number if there are more.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
