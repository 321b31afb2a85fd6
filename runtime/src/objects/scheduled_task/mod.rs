//! A task that runs at an interval or by a cron expression.
//!
//! [`ScheduledTask`] counts its runs and records them. [`Task`] is its core, for your own object
//! whose alarm does the work:
//!
//! ```
//! use anchorhold::objects::scheduled_task::{Plan, Task};
//! use anchorhold::prelude::*;
//!
//! #[durable_object]
//! struct Digest {
//!     task: Task,
//! }
//!
//! #[durable_object]
//! impl Digest {
//!     #[init]
//!     fn resume(&mut self, ctx: &Ctx) -> Result<(), Error> {
//!         let alarm = Self::schedules(ctx).next_send("")?;
//!         if let Some(at) = self.task.resume(alarm, ctx.now()) {
//!             Self::schedules(ctx).send().at(at)?;
//!         }
//!         Ok(())
//!     }
//!
//!     #[rpc]
//!     #[post("/start")]
//!     fn start(&mut self, ctx: &Ctx, #[body] plan: Plan) -> Result<(), Error> {
//!         let at = self.task.start(plan, ctx.now())?;
//!         Self::schedules(ctx).send().at(at)?;
//!         Ok(())
//!     }
//!
//!     #[rpc]
//!     #[post("/stop")]
//!     fn stop(&mut self, ctx: &Ctx) -> Result<(), Error> {
//!         self.task.stop();
//!         Self::schedules(ctx).cancel_send("")?;
//!         Ok(())
//!     }
//!
//!     #[alarm]
//!     async fn send(&mut self, ctx: &Ctx, run: AlarmRun) -> Result<(), Error> {
//!         let Some(attempt) = self.task.begin(&run, ctx.now()) else {
//!             return Ok(());
//!         };
//!         let outcome = self.work(ctx).await.into();
//!         if let Some(at) = self.task.finish(attempt, outcome, ctx.now()) {
//!             Self::schedules(ctx).send().at(at)?;
//!         }
//!         Ok(())
//!     }
//!
//!     async fn work(&mut self, ctx: &Ctx) -> Result<(), Error> {
//!         // The work of the task. An error is recorded, and the run is retried.
//! #       let _ = ctx;
//!         Ok(())
//!     }
//! }
//! ```

pub mod core;
mod plan;
#[cfg(test)]
mod tests;

use std::future::Future;

use anchorhold::prelude::*;

pub use self::core::{
    Attempt, HISTORY, MAX_CATCH_UP, MAX_MESSAGE, MAX_RETRIES, Outcome, Run, Status, Task,
};
use self::plan::Form;
pub use self::plan::{LONGEST_INTERVAL, MAX_EXPRESSION, OnMissed, Plan, SHORTEST_INTERVAL};

/// A scheduled task that counts its runs and records the last 32 of them.
///
/// | method | route | answer |
/// | --- | --- | --- |
/// | `start(every_ms, cron, on_missed)` | `POST /start` `{"every_ms": 60000}` | 204 |
/// | `stop()` | `POST /stop` | 204 |
/// | `run_now()` | `POST /run` | the [`Run`] |
/// | `status()` | `GET /` | the [`Status`] |
/// | `history(limit)` | `GET /runs?limit=10` | the last [`Run`]s, newest first |
/// | `plan()` | `GET /plan` | the [`Plan`], or `null` |
///
/// A started task always has exactly one pending run; a stopped task has none. Starting again
/// replaces the pending run, and a crash preserves it. A run ends before the next one starts. Runs
/// never start early.
///
/// ```
/// use anchorhold::objects::ScheduledTask;
/// use anchorhold::objects::scheduled_task::{OnMissed, Plan};
/// use anchorhold::prelude::*;
///
/// #[anchorhold::app]
/// fn app() -> App {
///     App::new().mount::<ScheduledTask>("/tasks/{name}")
/// }
///
/// async fn every_night(env: &Env) -> Result<(), Error> {
///     let plan = Plan::cron("0 4 * * *")?.on_missed(OnMissed::CatchUp);
///     env.objects::<ScheduledTask>().named("nightly").follow(plan).await?;
///     Ok(())
/// }
/// ```
#[durable_object]
pub struct ScheduledTask {
    task: Task,
}

#[durable_object]
impl ScheduledTask {
    #[init]
    fn resume(&mut self, ctx: &Ctx) -> Result<(), StorageError> {
        let alarm = Self::schedules(ctx).next_run("")?;
        Self::run_at(ctx, self.task.resume(alarm, ctx.now()))
    }

    /// Starts the task, or replaces the plan of a started one. It runs every `every_ms`
    /// milliseconds (10 to a year), or by a cron expression of five fields in UTC. `on_missed` is
    /// [`OnMissed::Skip`] by default. From Rust, [`follow`](ScheduledTaskStub::follow) takes a
    /// [`Plan`].
    ///
    /// # Errors
    /// 400 if both or neither are given, an interval is out of range, or an expression does not
    /// parse or never occurs. The task is not changed then.
    #[rpc]
    #[post("/start")]
    fn start(
        &mut self,
        ctx: &Ctx,
        every_ms: Option<u64>,
        cron: Option<String>,
        on_missed: Option<OnMissed>,
    ) -> Result<(), Error> {
        let plan = Plan::try_from(Form {
            every_ms,
            cron,
            on_missed,
        })?;
        let at = self.task.start(plan, ctx.now())?;
        Self::schedules(ctx).run().at(at)?;
        Ok(())
    }

    /// Stops the task. Its counts and history are kept.
    ///
    /// # Errors
    /// Storage failed.
    #[rpc]
    #[post("/stop")]
    fn stop(&mut self, ctx: &Ctx) -> Result<(), StorageError> {
        self.task.stop();
        Self::schedules(ctx).cancel_run("")?;
        Ok(())
    }

    /// Runs once immediately, whether the task is started or not. The plan is not affected.
    #[rpc]
    #[post("/run")]
    fn run_now(&mut self, ctx: &Ctx) -> Run {
        let now = ctx.now();
        self.task.ran_by_hand(now, Outcome::Completed, now).clone()
    }

    /// Returns the status of the task.
    ///
    /// # Errors
    /// Storage failed.
    #[rpc]
    #[get("/")]
    fn status(&mut self, ctx: &Ctx) -> Result<Status, StorageError> {
        // The clock may have been set back since the object woke.
        self.resume(ctx)?;
        Ok(Status {
            // Only the schedule knows when a run that died is retried.
            next_run: Self::schedules(ctx).next_run("")?,
            ..self.task.status()
        })
    }

    /// Returns the last runs, newest first. `limit` is at most 32.
    #[rpc]
    #[get("/runs")]
    fn history(&self, limit: Option<u64>) -> Vec<Run> {
        let limit = limit.and_then(|limit| usize::try_from(limit).ok());
        let runs = self.task.history();
        runs.take(limit.unwrap_or(HISTORY)).cloned().collect()
    }

    /// Returns the plan, or `None` if the task is not started.
    #[rpc]
    #[get("/plan")]
    fn plan(&self) -> Option<Plan> {
        self.task.plan().cloned()
    }

    #[alarm]
    fn run(&mut self, ctx: &Ctx, run: AlarmRun) -> Result<(), StorageError> {
        let now = ctx.now();
        let Some(attempt) = self.task.begin(&run, now) else {
            return Ok(());
        };
        Self::run_at(ctx, self.task.finish(attempt, Outcome::Completed, now))
    }

    /// Sets the alarm to the time that the task returned, if there is one.
    fn run_at(ctx: &Ctx, time: Option<Timestamp>) -> Result<(), StorageError> {
        time.map_or(Ok(()), |time| Self::schedules(ctx).run().at(time))
    }
}

impl ScheduledTaskStub {
    /// Starts the task with a plan: [`start`](Self::start) for callers in Rust.
    pub fn follow(&self, plan: Plan) -> impl Future<Output = Result<(), CallError<Error>>> + use<> {
        let Form {
            every_ms,
            cron,
            on_missed,
        } = plan.into();
        self.start(every_ms, cron, on_missed)
    }
}
