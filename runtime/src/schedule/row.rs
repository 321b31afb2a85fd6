//! The row of a pending run: what its columns mean, and when it is due next.

use crate::object::class::Recurrence;
use crate::storage::sql::SqlValue;

/// The first pause before a failed run is tried again; it doubles with each further try.
pub(super) const FIRST_RETRY_MILLIS: u64 = 2_000;
/// How often a failed run is tried again before its schedule is dropped.
pub(super) const MAX_RETRIES: u32 = 6;

/// In the column `running`, beside 0 and 1: the run is due, and the version that was asked last does not
/// have its method. `attempt` counts how often one was asked.
pub(super) const LACKS_ITS_METHOD: i64 = 2;

/// The first occurrence after `now`. Those missed while nothing ran are skipped.
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
