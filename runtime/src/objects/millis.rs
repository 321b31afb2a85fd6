//! Durations in the objects' requests and responses. The crate has such a function too, but the
//! objects use only its public API.

use std::time::Duration;

/// Returns the whole milliseconds. Saturates at the largest number.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
