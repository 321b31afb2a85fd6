//! The row of a pending run: the meaning of its columns, and when it is due next.

use crate::object::class::Recurrence;
use crate::storage::sql::SqlValue;

/// The pause before the first retry of a failed run. It doubles with each further retry.
pub(super) const FIRST_RETRY_MILLIS: u64 = 2_000;
/// The pause doubles until it is 1,024 s, which only tries that are not counted reach (P30).
pub(super) const DOUBLINGS: u32 = 9;
/// The number of retries after which a failed run is dropped.
pub(super) const MAX_RETRIES: u32 = 6;

/// A value of the column `running`: a try has started, and nothing that is durable has ended it.
pub(super) const IS_RUNNING: i64 = 1;
/// A value of the column `running`, besides 0 and 1: the run is due, and the version that last
/// looked at it does not have its method. `attempt` counts how often a version has looked.
pub(super) const LACKS_ITS_METHOD: i64 = 2;

/// Returns the first occurrence after `now`. Occurrences that were missed while the object did not
/// run are skipped.
pub(super) fn next_occurrence(recurrence: Recurrence, scheduled: i64, now: i64) -> Option<i64> {
    match recurrence {
        Recurrence::OnDemand => None,
        Recurrence::EveryMillis(interval) => {
            let interval = i64::try_from(interval).unwrap_or(i64::MAX).max(1);
            let missed = now.saturating_sub(scheduled).max(0) / interval;
            Some(scheduled.saturating_add((missed + 1).saturating_mul(interval)))
        }
        Recurrence::Cron(pattern) => super::cron::next(pattern, now),
    }
}

pub(super) fn integer(value: &SqlValue) -> i64 {
    match value {
        SqlValue::Integer(integer) => *integer,
        #[expect(
            clippy::cast_possible_truncation,
            reason = "times and counts are whole numbers"
        )]
        SqlValue::Real(real) => *real as i64,
        _ => 0,
    }
}

pub(super) fn text(value: SqlValue) -> String {
    match value {
        SqlValue::Text(text) => text,
        _ => String::new(),
    }
}
