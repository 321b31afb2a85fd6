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
        let wrong = |message: String| {
            let message = format!("the cron expression `{pattern}` does not parse: {message}");
            Error::bad_request("bad_request", message)
        };
        // The parser would take seconds and years too; the attribute does not, and so neither here.
        let fields = pattern.split_whitespace().count();
        if fields != 5 {
            return Err(wrong(format!(
                "it has five fields (minute, hour, day, month, weekday), found {fields}"
            )));
        }
        Cron::from_str(pattern)
            .map(Self)
            .map_err(|error| wrong(error.to_string()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_has_five_fields() {
        for pattern in ["* * * *", "0 * * * * *", "0 0 * * * * 2027", "@daily", ""] {
            let error = pattern.parse::<CronSchedule>().unwrap_err();
            assert!(
                error.message().contains("five fields"),
                "{pattern}: {error}"
            );
        }
        assert!("0 4 * JAN MON-FRI".parse::<CronSchedule>().is_ok());
    }
}
