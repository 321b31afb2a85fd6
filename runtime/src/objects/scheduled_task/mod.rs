//! A task that runs at an interval or by a cron expression.

use std::ops::RangeInclusive;
use std::time::Duration;

use anchorhold::CronSchedule;
use anchorhold::prelude::*;
use serde::{Deserialize, Serialize};

/// When a task runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Plan {
    Every { millis: u64 },
    Cron { expression: String },
}

impl Plan {
    fn next_after(&self, time: Timestamp) -> Result<Option<Timestamp>, Error> {
        match self {
            Self::Every { millis } => Ok(Some(time + Duration::from_millis(*millis))),
            Self::Cron { expression } => {
                let schedule: CronSchedule = expression.parse()?;
                Ok(schedule.next_after(time))
            }
        }
    }
}

/// What a task tells of itself.
#[derive(Debug, Serialize, Deserialize)]
pub struct Status {
    /// Whether a next run is scheduled.
    pub running: bool,
    /// How often it ran.
    pub runs: u64,
    /// When it ran last.
    pub last_run: Option<Timestamp>,
    /// When it is due next.
    pub next_run: Option<Timestamp>,
}

/// The intervals that make sense: a shorter one would keep the object busy with nothing but waking
/// up, a longer one (a year) is a mistake.
const INTERVAL_MILLIS: RangeInclusive<u64> = 10..=366 * 24 * 60 * 60 * 1000;

/// A scheduled task: it counts its runs.
#[durable_object]
pub struct ScheduledTask {
    plan: Option<Plan>,
    runs: u64,
    last_run: Option<Timestamp>,
}

#[durable_object]
impl ScheduledTask {
    /// Starts the task, or replaces the plan of a running one: there is one pending run at any time.
    #[rpc]
    #[post("/start")]
    fn start(
        &mut self,
        ctx: &Ctx,
        every_ms: Option<u64>,
        cron: Option<String>,
    ) -> Result<(), Error> {
        let plan = match (every_ms, cron) {
            (Some(millis), None) if !INTERVAL_MILLIS.contains(&millis) => {
                let (shortest, longest) = INTERVAL_MILLIS.into_inner();
                return Err(Error::bad_request(
                    "bad_request",
                    format!("`every_ms` is {millis}, and not from {shortest} to {longest}"),
                ));
            }
            (Some(millis), None) => Plan::Every { millis },
            (None, Some(expression)) => Plan::Cron { expression },
            _ => {
                return Err(Error::bad_request(
                    "bad_request",
                    "give either `every_ms` or `cron`",
                ));
            }
        };
        let next = plan.next_after(ctx.now())?.ok_or_else(|| {
            Error::bad_request("bad_request", "`cron`: the expression never comes true")
        })?;
        Self::schedules(ctx).run().at(next)?;
        self.plan = Some(plan);
        Ok(())
    }

    /// Stops the task.
    #[rpc]
    #[post("/stop")]
    fn stop(&mut self, ctx: &Ctx) -> Result<(), StorageError> {
        self.plan = None;
        Self::schedules(ctx).cancel_run("")?;
        Ok(())
    }

    /// What the task is doing.
    #[rpc]
    #[get("/")]
    fn status(&self, ctx: &Ctx) -> Result<Status, StorageError> {
        let next_run = Self::schedules(ctx).next_run("")?;
        Ok(Status {
            running: next_run.is_some(),
            runs: self.runs,
            last_run: self.last_run,
            next_run,
        })
    }

    #[alarm]
    fn run(&mut self, ctx: &Ctx) -> Result<(), Error> {
        self.runs += 1;
        self.last_run = Some(ctx.now());
        if let Some(plan) = &self.plan
            && let Some(next) = plan.next_after(ctx.now())?
        {
            Self::schedules(ctx).run().at(next)?;
        }
        Ok(())
    }
}
