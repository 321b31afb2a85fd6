//! What a task does when: state, event and time in, decision out.

use std::collections::VecDeque;
use std::fmt;
use std::iter::successors;
use std::time::Duration;

use anchorhold::prelude::*;
use serde::{Deserialize, Serialize};

use super::plan::{OnMissed, Plan};

/// How many runs the history keeps.
pub const HISTORY: usize = 32;
/// How many missed runs are made up for in a row; what was missed beyond that is skipped.
pub const MAX_CATCH_UP: u32 = 100;
/// How often a failed run is tried again, as the platform does with its alarm.
pub const MAX_RETRIES: u32 = 6;
/// The longest message that the history keeps of a failure, in bytes.
pub const MAX_MESSAGE: usize = 256;

const FIRST_RETRY: Duration = Duration::from_secs(2);
/// No retry is further away than this: the last pause, and the quarter that the platform may add.
const LONGEST_RETRY: Duration = Duration::from_secs(160);
/// The shortest wait: an alarm that its own handler puts at exactly now can stall (workerd#6866).
const AT_ONCE: Duration = Duration::from_millis(1);

/// A task: its plan, its next run, and what became of the last ones. A durable field of an object
/// whose alarm does the work; the object does what the methods say with that alarm.
///
/// At most one run is ever pending, and while the task is started there is one. See the
/// [module](super) for a whole object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Task {
    plan: Option<Plan>,
    /// How many plans there have been: an attempt of an earlier one settles nothing.
    plans: u64,
    /// The time that the plan has come to: of its last run, or of its start.
    reached: Timestamp,
    next: Option<Next>,
    runs: u64,
    last_run: Option<Timestamp>,
    history: VecDeque<Run>,
}

/// The pending run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Next {
    /// The time of the plan.
    scheduled: Timestamp,
    /// When it starts: later than planned if it was missed or is tried again.
    at: Timestamp,
    failed: u32,
    /// How many missed runs in a row came before it.
    caught_up: u32,
}

/// One run of a task that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Counts up from 1 for the life of the task.
    pub number: u64,
    /// The time of the plan that it ran for; `None` if it was started by hand.
    pub scheduled: Option<Timestamp>,
    /// When it started.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Timestamp,
    /// How many tries for the same time came before it: those that failed, and those that died.
    pub retry_count: u32,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The work is done.
    Completed,
    /// The work failed, with this message, of which the history keeps 256 bytes.
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

/// What a task tells of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Whether it is started.
    pub running: bool,
    /// How often it has run; every try counts.
    pub runs: u64,
    /// When it last ran.
    pub last_run: Option<Timestamp>,
    /// When it runs next.
    pub next_run: Option<Timestamp>,
}

/// A run that has begun; [`Task::finish`] settles it.
#[derive(Debug)]
#[must_use = "a run that is not finished has no successor"]
pub struct Attempt {
    plan: u64,
    scheduled: Timestamp,
    started: Timestamp,
    retry_count: u32,
}

impl Attempt {
    /// The time of the plan that it runs for. A key for effects that must not happen twice.
    #[must_use]
    pub fn scheduled(&self) -> Timestamp {
        self.scheduled
    }

    /// How many tries for the same time came before it.
    #[must_use]
    pub fn retry_count(&self) -> u32 {
        self.retry_count
    }
}

impl Task {
    /// Follows a plan from now on, in place of the one before. Put the alarm at the time returned.
    ///
    /// # Errors
    /// A cron expression that never comes true; the task goes on as it was.
    pub fn start(&mut self, plan: Plan, now: Timestamp) -> Result<Timestamp, Error> {
        let first = plan.next_after(now, now).ok_or_else(|| {
            Error::bad_request(
                "bad_request",
                format!("`cron`: {plan} does not come true any more"),
            )
        })?;
        self.plan = Some(plan);
        self.plans += 1;
        self.reached = now;
        self.next = Some(Next::on_time(first));
        Ok(first)
    }

    /// Follows no plan any more. Cancel the alarm. What is running ends, and has no successor.
    pub fn stop(&mut self) {
        self.plan = None;
        self.plans += 1;
        self.next = None;
    }

    /// The alarm went off: the run that is due. `None` if none is, and then there is nothing to do.
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

    /// The run has ended. Put the alarm at the time returned, if there is one: it is the only
    /// pending run.
    ///
    /// A run that failed is tried again after 2 s, 4 s and so on, 6 times. Under
    /// [`OnMissed::Skip`] a time of the plan that comes first takes the place of the retry; under
    /// [`OnMissed::CatchUp`] it waits for its turn.
    #[must_use = "the time at which the alarm belongs"]
    pub fn finish(
        &mut self,
        attempt: Attempt,
        outcome: Outcome,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let failed = outcome != Outcome::Completed;
        // A task that was started anew or stopped meanwhile has its next run, or none, already.
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

    /// A run by hand has ended, which the plan does not know of: the alarm stays where it is.
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

    /// The object has woken, and its alarm stands at `alarm`. Put it at the time returned, if there
    /// is one: it was lost (a run died 7 times, and the platform gave up), or it is further away
    /// than the plan allows, because the clock was set back.
    #[must_use = "the time at which the alarm belongs"]
    pub fn resume(&mut self, alarm: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
        let (plan, next) = (self.plan.as_ref()?, self.next?);
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
        // A run that died is tried again at a time of the platform's, which is as good.
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

    /// The plan, if the task is started.
    #[must_use]
    pub fn plan(&self) -> Option<&Plan> {
        self.plan.as_ref()
    }

    /// Where the alarm stands, as far as the task knows.
    #[must_use]
    pub fn next_run(&self) -> Option<Timestamp> {
        self.next.map(|next| next.at)
    }

    /// The task in short.
    #[must_use]
    pub fn status(&self) -> Status {
        Status {
            running: self.next.is_some(),
            runs: self.runs,
            last_run: self.last_run,
            next_run: self.next_run(),
        }
    }

    /// The last 32 runs, newest first.
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

    /// The run that comes after this one: the next that was missed, or the next that is to come.
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
    /// The times of the plan, from `after` on.
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
