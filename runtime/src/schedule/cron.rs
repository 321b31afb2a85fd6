//! Cron expressions, in UTC.

use std::str::FromStr;

use chrono::{Datelike, Days, NaiveDate, NaiveDateTime};
use croner::Cron;
use croner::time::Weekday;

use crate::error::Error;
use crate::time::Timestamp;

/// A parsed cron expression of five fields (minute, hour, day of month, month, day of week), in
/// UTC.
///
/// Use it for schedules that are known only at run time. For others use `#[alarm(cron = "…")]`.
///
/// ```
/// use anchorhold::{CronSchedule, Timestamp};
/// let schedule: CronSchedule = "*/5 * * * *".parse().unwrap();
/// assert_eq!(schedule.next_after(Timestamp::from_millis(0)), Some(Timestamp::from_millis(300_000)));
/// ```
#[derive(Clone, Debug)]
pub struct CronSchedule(Cron);

/// How many days ahead an occurrence is searched: 29 February on a given weekday may be 40 years
/// away. The library itself searches up to the year 5000. That takes 0.2 s for an expression that
/// never occurs, and untrusted clients may choose the expression.
const DAYS: u64 = 41 * 366;

impl FromStr for CronSchedule {
    type Err = Error;

    fn from_str(pattern: &str) -> Result<Self, Error> {
        let wrong = |message: String| {
            let message = format!("the cron expression `{pattern}` does not parse: {message}");
            Error::bad_request("bad_request", message)
        };
        // The parser would also accept seconds and years. The attribute does not accept them.
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
    /// Returns the first occurrence later than `time`, or `None` if there is none within 40 years.
    #[must_use]
    pub fn next_after(&self, time: Timestamp) -> Option<Timestamp> {
        let time = chrono::DateTime::from_timestamp_millis(time.as_millis())?;
        let today = time.date_naive();
        let days = (0..DAYS).map_while(|number| today.checked_add_days(Days::new(number)));
        let mut occurrences = days
            .filter(|day| self.comes_on(*day))
            .flat_map(|day| self.times_on(day))
            .map(|occurrence| occurrence.and_utc());
        let next = occurrences.find(|occurrence| *occurrence > time)?;
        Some(Timestamp::from_millis(next.timestamp_millis()))
    }

    fn comes_on(&self, day: NaiveDate) -> bool {
        let (year, month, of_month) = (day.year(), day.month(), day.day());
        let pattern = &self.0.pattern;
        let weekday = match day.weekday() {
            chrono::Weekday::Sun => Weekday::Sunday,
            chrono::Weekday::Mon => Weekday::Monday,
            chrono::Weekday::Tue => Weekday::Tuesday,
            chrono::Weekday::Wed => Weekday::Wednesday,
            chrono::Weekday::Thu => Weekday::Thursday,
            chrono::Weekday::Fri => Weekday::Friday,
            chrono::Weekday::Sat => Weekday::Saturday,
        };
        pattern.month_match(month).is_ok_and(|matches| matches)
            && pattern
                .day_match(year, month, of_month, weekday)
                .is_ok_and(|matches| matches)
    }

    fn times_on(&self, day: NaiveDate) -> impl Iterator<Item = NaiveDateTime> + '_ {
        let pattern = &self.0.pattern;
        let hours = (0..24).filter(|hour| pattern.hour_match(*hour).is_ok_and(|matches| matches));
        let minutes =
            || (0..60).filter(|minute| pattern.minute_match(*minute).is_ok_and(|matches| matches));
        hours.flat_map(move |hour| {
            minutes().filter_map(move |minute| day.and_hms_opt(hour, minute, 0))
        })
    }
}

/// Parsing cannot fail, because the macro has parsed the pattern already.
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

    #[test]
    fn occurrence_is_the_one_that_the_library_finds_in_all_years() {
        let now = chrono::DateTime::from_timestamp_millis(1_767_225_600_000).unwrap();
        for pattern in [
            "* * * * *",
            "0 4 * JAN MON-FRI",
            "59 23 31 12 *",
            "0 0 29 2 *",
            "0 0 29 2 +MON",
            "0 0 1 1 SUN",
            "*/7 3-5 L * *",
            "0 12 * * FRI#5",
            "0 0 15W * *",
        ] {
            let schedule: CronSchedule = pattern.parse().unwrap();
            let all = Cron::from_str(pattern).unwrap();
            let expected = all.find_next_occurrence(&now, false).unwrap();
            assert_eq!(
                schedule.next_after(Timestamp::from_millis(now.timestamp_millis())),
                Some(Timestamp::from_millis(expected.timestamp_millis())),
                "{pattern}"
            );
        }
    }

    #[test]
    fn expression_that_never_comes_true_has_no_occurrence() {
        for pattern in [
            "0 0 31 2,4,6,9,11 *",
            "0 0 30 2 *",
            "0 0 29 2 +1#1",
            "0 0 1-7 * +1#5",
            "* * L * +1#1",
        ] {
            let schedule: CronSchedule = pattern.parse().unwrap();
            for time in [i64::MIN, 0, 1_767_225_600_000, 95_000_000_000_000, i64::MAX] {
                assert_eq!(schedule.next_after(Timestamp::from_millis(time)), None);
            }
        }
    }
}
