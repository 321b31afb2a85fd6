//! Cron expressions, in UTC.

use std::str::FromStr;

use croner::Cron;

use crate::error::Error;
use crate::time::Timestamp;

/// A parsed cron expression of five fields (minute, hour, day of month, month, day of week), in UTC.
///
/// For schedules known only at run time; `#[alarm(cron = "…")]` takes one that is known before.
///
/// ```
/// use anchorhold::{CronSchedule, Timestamp};
/// let schedule: CronSchedule = "*/5 * * * *".parse().unwrap();
/// assert_eq!(schedule.next_after(Timestamp::from_millis(0)), Some(Timestamp::from_millis(300_000)));
/// ```
#[derive(Clone, Debug)]
pub struct CronSchedule(Cron);

impl FromStr for CronSchedule {
    type Err = Error;

    fn from_str(pattern: &str) -> Result<Self, Error> {
        Cron::from_str(pattern).map(Self).map_err(|error| {
            Error::bad_request(
                "bad_request",
                format!("the cron expression `{pattern}` does not parse: {error}"),
            )
        })
    }
}

impl CronSchedule {
    /// The first occurrence later than `time`; `None` if there is none.
    #[must_use]
    pub fn next_after(&self, time: Timestamp) -> Option<Timestamp> {
        let time = chrono::DateTime::from_timestamp_millis(time.as_millis())?;
        let next = self.0.find_next_occurrence(&time, false).ok()?;
        Some(Timestamp::from_millis(next.timestamp_millis()))
    }
}

/// The macro has parsed the pattern, so here it parses.
pub(crate) fn next(pattern: &str, now: i64) -> Option<i64> {
    let schedule: CronSchedule = pattern.parse().ok()?;
    schedule
        .next_after(Timestamp::from_millis(now))
        .map(Timestamp::as_millis)
}
