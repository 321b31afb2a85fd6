//! Plans: the times at which a task runs, and the policy for missed ones.

use std::fmt;
use std::time::Duration;

use anchorhold::CronSchedule;
use anchorhold::prelude::*;
use serde::{Deserialize, Serialize};

use crate::objects::millis::millis;

/// The shortest interval. A shorter one would keep the object busy with wakes.
pub const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);
/// The longest interval, a leap year.
pub const LONGEST_INTERVAL: Duration = Duration::from_secs(366 * 24 * 60 * 60);
/// The longest cron expression, in bytes.
pub const MAX_EXPRESSION: usize = 128;

/// The largest backwards clock step after which cron times are not repeated. Debian's cron(8) also
/// uses three hours: a smaller step is the end of daylight saving or a small correction. A larger
/// step means that the clock was wrong, and the new time applies.
const REPEATED: Duration = Duration::from_secs(3 * 60 * 60);

/// The times at which a task runs: at an interval, or by a cron expression.
///
/// In JSON it is `{"every_ms": 60000}` or `{"cron": "0 4 * * *"}`, both with an optional
/// `"on_missed": "skip" | "catch_up"`. An invalid plan does not deserialise, so a method may take a
/// plan as its argument.
///
/// ```
/// use anchorhold::objects::scheduled_task::{OnMissed, Plan};
/// use std::time::Duration;
///
/// let beat = Plan::every(Duration::from_secs(60)).unwrap();
/// let nightly = Plan::cron("0 4 * * *").unwrap().on_missed(OnMissed::CatchUp);
/// assert!(Plan::cron("0 0 30 2 *").is_err(), "there is no 30th of February");
/// # let _ = (beat, nightly);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Form", into = "Form")]
pub struct Plan {
    pub(super) recurrence: Recurrence,
    pub(super) on_missed: OnMissed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Recurrence {
    Every(Duration),
    Cron(String),
}

/// The policy for missed times, at which the task could not run: the object was not running (a
/// crash, an outage), or the previous run took too long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnMissed {
    /// The due run is caught up once. The task continues with the first time in the future.
    #[default]
    Skip,
    /// All missed runs are caught up, oldest first, one after another, up to 100 in a row.
    CatchUp,
}

/// The serialised form of a plan.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Form {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) every_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cron: Option<String>,
    #[serde(default)]
    pub(super) on_missed: Option<OnMissed>,
}

impl TryFrom<Form> for Plan {
    type Error = Error;

    fn try_from(form: Form) -> Result<Self, Error> {
        let plan = match (form.every_ms, form.cron) {
            (Some(millis), None) => Self::every(Duration::from_millis(millis))?,
            (None, Some(expression)) => Self::cron(&expression)?,
            _ => return Err(refused("give either `every_ms` or `cron`".to_owned())),
        };
        Ok(plan.on_missed(form.on_missed.unwrap_or_default()))
    }
}

impl From<Plan> for Form {
    fn from(plan: Plan) -> Self {
        let (every_ms, cron) = match plan.recurrence {
            Recurrence::Every(interval) => (Some(millis(interval)), None),
            Recurrence::Cron(expression) => (None, Some(expression)),
        };
        Self {
            every_ms,
            cron,
            on_missed: Some(plan.on_missed),
        }
    }
}

impl Plan {
    /// Creates a plan with an interval from 10 ms to 366 days, in whole milliseconds.
    ///
    /// # Errors
    /// The interval is shorter or longer.
    pub fn every(interval: Duration) -> Result<Self, Error> {
        if !(SHORTEST_INTERVAL..=LONGEST_INTERVAL).contains(&interval) {
            return Err(refused(format!(
                "`every_ms` is {}; must be {} to {}",
                interval.as_millis(),
                SHORTEST_INTERVAL.as_millis(),
                LONGEST_INTERVAL.as_millis()
            )));
        }
        Ok(Self::new(Recurrence::Every(Duration::from_millis(millis(
            interval,
        )))))
    }

    /// Creates a plan with a cron expression of five fields in UTC; see [`CronSchedule`].
    ///
    /// # Errors
    /// The expression does not parse, never occurs, or has more than 128 bytes.
    pub fn cron(expression: &str) -> Result<Self, Error> {
        if expression.len() > MAX_EXPRESSION {
            return Err(refused(format!(
                "`cron`: an expression of {} bytes is over the limit of {MAX_EXPRESSION}",
                expression.len()
            )));
        }
        let schedule: CronSchedule = expression
            .parse()
            .map_err(|error: Error| refused(format!("`cron`: {}", error.message())))?;
        if schedule.next_after(Timestamp::default()).is_none() {
            return Err(refused(format!(
                "`cron`: the expression `{expression}` never occurs"
            )));
        }
        Ok(Self::new(Recurrence::Cron(expression.to_owned())))
    }

    fn new(recurrence: Recurrence) -> Self {
        Self {
            recurrence,
            on_missed: OnMissed::default(),
        }
    }

    /// Returns the plan with another policy for missed runs.
    #[must_use]
    pub fn on_missed(mut self, on_missed: OnMissed) -> Self {
        self.on_missed = on_missed;
        self
    }

    /// Returns the first time of the plan later than `now`, or `None`. `reached` is the time that
    /// the plan has reached (of its last run, or of its start).
    ///
    /// The times of an interval are whole intervals after `reached`. The two kinds differ after the
    /// clock was set back. An interval counts elapsed time, so the next time is one interval away.
    /// Cron counts dates, so past dates are not repeated, unless the clock was set back by more
    /// than three hours.
    #[must_use]
    pub fn next_after(&self, reached: Timestamp, now: Timestamp) -> Option<Timestamp> {
        match &self.recurrence {
            Recurrence::Every(interval) => {
                let since = now - reached;
                let into_the_interval = millis(since) % millis(*interval).max(1);
                Some(now + (*interval - Duration::from_millis(into_the_interval)))
            }
            Recurrence::Cron(expression) => {
                let repeated = reached > now && reached - now <= REPEATED;
                let schedule: CronSchedule = expression.parse().ok()?;
                schedule.next_after(if repeated { reached } else { now })
            }
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.recurrence {
            Recurrence::Every(interval) => write!(formatter, "every {} ms", interval.as_millis()),
            Recurrence::Cron(expression) => write!(formatter, "`{expression}`"),
        }
    }
}

fn refused(message: String) -> Error {
    Error::bad_request("bad_request", message)
}
