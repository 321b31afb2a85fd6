//! The decisions of a task: state, event and time in, decision out.

use std::collections::VecDeque;
use std::fmt;
use std::iter::successors;
use std::time::Duration;

use anchorhold::prelude::*;
use serde::{Deserialize, Serialize};

use super::plan::{OnMissed, Plan};

/// The number of runs in the history.
pub const HISTORY: usize = 32;
/// The maximum number of missed runs that are caught up in a row. Further missed runs are skipped.
pub const MAX_CATCH_UP: u32 = 100;
/// The number of retries of a failed run, which is the same as the platform's for its alarm.
pub const MAX_RETRIES: u32 = 6;
/// The longest failure message in the history, in bytes.
pub const MAX_MESSAGE: usize = 256;

const FIRST_RETRY: Duration = Duration::from_secs(2);
/// The longest time until a retry: the last pause, and the 25 % that the platform may add.
const LONGEST_RETRY: Duration = Duration::from_secs(160);
/// The outcome of a run that the platform has dropped.
const GIVEN_UP: &str = "every try of the run died with its process";
/// The shortest wait: an alarm that its own handler sets to exactly now can stall (workerd#6866).
const AT_ONCE: Duration = Duration::from_millis(1);

/// A task: its plan, its next run, and the history of its runs. Store it in a durable field of an
/// object whose alarm does the work. The object sets that alarm as the methods say.
///
/// At most one run is pending, and while the task is started there is always one. See the
/// [module](super) for a complete object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Task {
    plan: Option<Plan>,
    /// The number of plans so far. An attempt of an earlier plan settles nothing.
    plans: u64,
    /// The time that the plan has reached: of its last run, or of its start.
    reached: Timestamp,
    next: Option<Next>,
    runs: u64,
    last_run: Option<Timestamp>,
    history: VecDeque<Run>,
}

/// The pending run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Next {
    /// The planned time.
    scheduled: Timestamp,
    /// When it starts: later than planned if it was missed or is retried.
    at: Timestamp,
    failed: u32,
    /// The number of missed runs in a row before it that were caught up.
    caught_up: u32,
}

/// A run of a task that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The number of the run. It counts up from 1 for the life of the task.
    pub number: u64,
    /// The planned time, or `None` if it was started manually.
    pub scheduled: Option<Timestamp>,
    /// The time at which it started.
    pub started: Timestamp,
    /// The time at which it ended.
    pub finished: Timestamp,
    /// The number of earlier tries for the same planned time, both failed and aborted ones.
    pub retry_count: u32,
    /// The result.
    pub outcome: Outcome,
}

/// The result of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The work succeeded.
    Completed,
    /// The work failed with this message. The history keeps 256 bytes of it.
    Failed(String),
}

impl<T, E: fmt::Display> From<Result<T, E>> for Outcome {
    fn from(result: Result<T, E>) -> Self {
        match result {
            Ok(_) => Self::Completed,
            Err(error) => Self::Failed(error.to_string()),
        }
    }
}

/// The status of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// `true` if it is started.
    pub running: bool,
    /// The number of runs, including every try.
    pub runs: u64,
    /// The start of the last run.
    pub last_run: Option<Timestamp>,
    /// The start of the next run.
    pub next_run: Option<Timestamp>,
}

/// A run that has begun. [`Task::finish`] settles it.
#[derive(Debug)]
#[must_use = "a run that is not finished has no successor"]
pub struct Attempt {
    plan: u64,
    scheduled: Timestamp,
    started: Timestamp,
    retry_count: u32,
}

impl Attempt {
    /// Returns the planned time of the run. Use it as an idempotency key.
    #[must_use]
    pub fn scheduled(&self) -> Timestamp {
        self.scheduled
    }

    /// Returns the number of earlier tries for the same planned time.
    #[must_use]
    pub fn retry_count(&self) -> u32 {
        self.retry_count
    }
}

impl Task {
    /// Starts the task, or replaces its plan. Set the alarm to the returned time.
    ///
    /// # Errors
    /// The cron expression never occurs. The task is not changed.
    pub fn start(&mut self, plan: Plan, now: Timestamp) -> Result<Timestamp, Error> {
        let first = plan.next_after(now, now).ok_or_else(|| {
            Error::bad_request("bad_request", format!("`cron`: {plan} never occurs again"))
        })?;
        self.plan = Some(plan);
        self.plans += 1;
        self.reached = now;
        self.next = Some(Next::on_time(first));
        Ok(first)
    }

    /// Stops the task. Cancel the alarm. A run in progress ends without a successor.
    pub fn stop(&mut self) {
        self.plan = None;
        self.plans += 1;
        self.next = None;
    }

    /// Returns the run that is due, or `None` if there is nothing to do. Call it when the alarm
    /// fires.
    #[must_use]
    pub fn begin(&self, alarm: &AlarmRun, now: Timestamp) -> Option<Attempt> {
        let next = self.next?;
        Some(Attempt {
            plan: self.plans,
            scheduled: next.scheduled,
            started: now,
            retry_count: next.failed.saturating_add(alarm.retry_count),
        })
    }

    /// Ends a run. Set the alarm to the returned time, if there is one: it is the only pending run.
    ///
    /// A failed run is retried after 2 s, 4 s and so on, 6 times. Under [`OnMissed::Skip`] a
    /// planned time that comes before the retry replaces it. Under [`OnMissed::CatchUp`] the
    /// planned time waits for the retry.
    #[must_use = "the time at which the alarm belongs"]
    pub fn finish(
        &mut self,
        attempt: Attempt,
        outcome: Outcome,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let failed = outcome != Outcome::Completed;
        // A task that was restarted or stopped meanwhile already has its next run, or none.
        if attempt.plan == self.plans
            && let (Some(plan), Some(current)) = (&self.plan, self.next)
            && current.scheduled == attempt.scheduled
        {
            let following = current.following(plan, now);
            let retry = current.retry(now).filter(|retry| {
                failed
                    && attempt.retry_count < MAX_RETRIES
                    && (plan.on_missed == OnMissed::CatchUp
                        || following.is_none_or(|following| retry.at < following.at))
            });
            if retry.is_none() {
                self.reached = current.scheduled;
            }
            self.next = retry.or(following);
            if self.next.is_none() {
                self.plan = None;
            }
        }
        self.record(Run {
            number: 0,
            scheduled: Some(attempt.scheduled),
            started: attempt.started,
            finished: now,
            retry_count: attempt.retry_count,
            outcome,
        });
        self.next_run()
    }

    /// Records a manual run. It does not affect the plan, so do not change the alarm.
    pub fn ran_by_hand(&mut self, started: Timestamp, outcome: Outcome, now: Timestamp) -> &Run {
        self.record(Run {
            number: 0,
            scheduled: None,
            started,
            finished: now,
            retry_count: 0,
            outcome,
        })
    }

    /// Call it when the object has woken or is looked at, and its alarm is at `alarm`. Set the alarm
    /// to the returned time, if there is one. The alarm may be too late for the plan because the
    /// clock was set back. It may also be gone, because a run died 7 times and the platform gave up:
    /// then the run is recorded as failed, and the task goes on with the next planned time.
    #[must_use = "the time at which the alarm belongs"]
    pub fn resume(&mut self, alarm: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
        let (plan, next) = (self.plan.as_ref()?, self.next?);
        if alarm.is_none() && next.at <= now {
            return self.give_up(next, now);
        }
        let at_once = now + AT_ONCE;
        let longest = now + LONGEST_RETRY;
        let wanted = if next.failed > 0 {
            let at = next.at.clamp(at_once, longest);
            Next { at, ..next }
        } else if next.scheduled <= now {
            Next {
                at: at_once,
                ..next
            }
        } else {
            match plan.next_after(self.reached, now) {
                Some(time) if time < next.scheduled => Next::on_time(time),
                _ => next,
            }
        };
        // If a run died, the platform chooses the time of its retry, which need not be corrected.
        let latest = if next.failed == 0 && alarm == Some(next.at) {
            wanted.at
        } else {
            longest
        };
        if alarm.is_some_and(|alarm| alarm <= latest) {
            return None;
        }
        self.next = Some(wanted);
        Some(wanted.at)
    }

    /// Ends a run whose tries have all died.
    fn give_up(&mut self, next: Next, now: Timestamp) -> Option<Timestamp> {
        let plan = self.plan.as_ref()?;
        self.reached = next.scheduled;
        self.next = next.following(plan, now);
        if self.next.is_none() {
            self.plan = None;
        }
        self.record(Run {
            number: 0,
            scheduled: Some(next.scheduled),
            started: next.at,
            finished: now,
            retry_count: MAX_RETRIES,
            outcome: Outcome::Failed(GIVEN_UP.to_owned()),
        });
        self.next_run()
    }

    /// Returns the plan, or `None` if the task is not started.
    #[must_use]
    pub fn plan(&self) -> Option<&Plan> {
        self.plan.as_ref()
    }

    /// Returns the time of the alarm, as far as the task knows.
    #[must_use]
    pub fn next_run(&self) -> Option<Timestamp> {
        self.next.map(|next| next.at)
    }

    /// Returns the status of the task.
    #[must_use]
    pub fn status(&self) -> Status {
        Status {
            running: self.next.is_some(),
            runs: self.runs,
            last_run: self.last_run,
            next_run: self.next_run(),
        }
    }

    /// Returns the last 32 runs, newest first.
    pub fn history(&self) -> impl Iterator<Item = &Run> {
        self.history.iter().rev()
    }

    fn record(&mut self, mut run: Run) -> &Run {
        self.runs += 1;
        self.last_run = Some(run.started);
        run.number = self.runs;
        if let Outcome::Failed(message) = &mut run.outcome {
            message.truncate(message.floor_char_boundary(MAX_MESSAGE));
        }
        if self.history.len() >= HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(run);
        &self.history[self.history.len() - 1]
    }
}

impl Next {
    fn on_time(time: Timestamp) -> Self {
        Self {
            scheduled: time,
            at: time,
            failed: 0,
            caught_up: 0,
        }
    }

    /// Returns the run after this one: the next missed one, or the next one in the future.
    fn following(self, plan: &Plan, now: Timestamp) -> Option<Self> {
        if plan.on_missed == OnMissed::CatchUp
            && self.caught_up < MAX_CATCH_UP
            && let Some(missed) = plan.next_after(self.scheduled, self.scheduled)
            && missed <= now
        {
            return Some(Self {
                scheduled: missed,
                at: now + AT_ONCE,
                failed: 0,
                caught_up: self.caught_up + 1,
            });
        }
        plan.next_after(self.scheduled, now).map(Self::on_time)
    }

    fn retry(self, now: Timestamp) -> Option<Self> {
        let pause = FIRST_RETRY.checked_mul(1 << self.failed.min(MAX_RETRIES))?;
        Some(Self {
            at: now + pause,
            failed: self.failed + 1,
            ..self
        })
    }
}

impl Plan {
    /// Returns the times of the plan after `after`.
    ///
    /// ```
    /// use anchorhold::Timestamp;
    /// use anchorhold::objects::scheduled_task::Plan;
    ///
    /// let plan = Plan::cron("0 4 * * *").unwrap();
    /// let hours: Vec<i64> = plan
    ///     .times(Timestamp::from_millis(0))
    ///     .take(3)
    ///     .map(|time| time.as_millis() / 3_600_000)
    ///     .collect();
    /// assert_eq!(hours, [4, 28, 52]);
    /// ```
    pub fn times(&self, after: Timestamp) -> impl Iterator<Item = Timestamp> {
        successors(self.next_after(after, after), |time| {
            self.next_after(*time, *time)
        })
    }
}
