//! Alarms: each run does what its payload says and leaves a record.

use std::time::Duration;

use anchorhold::prelude::*;
use serde::{Deserialize, Serialize};

/// What a run does.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Conduct {
    Succeed,
    Fail,
    ScheduleAgain {
        after_ms: u64,
    },
    ScheduleAgainAndFail {
        after_ms: u64,
    },
    /// The first run resets the object. Later ones succeed.
    AbortFirst,
    /// Runs for longer than any case waits.
    Hang,
}

/// The record of one run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ring {
    pub key: String,
    pub scheduled: Timestamp,
    pub started: Timestamp,
    pub retry_count: u32,
    pub is_retry: bool,
    /// The pending run at the handler's start.
    pub next_at_start: Option<Timestamp>,
    /// The pending run at the handler's end.
    pub next_at_end: Option<Timestamp>,
    pub object_name: Option<String>,
}

/// A schedule to be made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Planned {
    pub now: Timestamp,
    pub next: Option<Timestamp>,
}

/// Runs alarms as instructed.
#[durable_object]
pub struct AlarmProbe {}

#[durable_object]
impl AlarmProbe {
    #[post("/schedule-at")]
    fn schedule_at(
        &self,
        ctx: &Ctx,
        key: String,
        at: Timestamp,
        conduct: Conduct,
    ) -> Result<Planned, StorageError> {
        Self::schedules(ctx).ring(conduct).key(key.clone()).at(at)?;
        Self::planned(ctx, &key)
    }

    #[post("/schedule-after")]
    fn schedule_after(
        &self,
        ctx: &Ctx,
        key: String,
        ms: u64,
        conduct: Conduct,
    ) -> Result<Planned, StorageError> {
        Self::schedules(ctx)
            .ring(conduct)
            .key(key.clone())
            .after(Duration::from_millis(ms))?;
        Self::planned(ctx, &key)
    }

    #[post("/cancel")]
    fn cancel(&self, ctx: &Ctx, key: &str) -> Result<bool, StorageError> {
        Self::schedules(ctx).cancel_ring(key)
    }

    #[get("/next")]
    fn next(&self, ctx: &Ctx, key: &str) -> Result<Planned, StorageError> {
        Self::planned(ctx, key)
    }

    #[get("/rings")]
    fn rings(&self, ctx: &Ctx) -> Result<Vec<Ring>, StorageError> {
        let rings = ctx.storage().list(&records())?;
        Ok(rings.into_iter().map(|(_, ring)| ring).collect())
    }

    #[post("/wipe")]
    fn wipe(&self, ctx: &Ctx) -> Result<(), StorageError> {
        ctx.storage().delete_all()
    }

    /// Shared, so that the probe answers while a run hangs.
    #[alarm]
    async fn ring(&self, ctx: &Ctx, conduct: Conduct, run: AlarmRun) -> Result<(), Error> {
        let started = ctx.now();
        let next_at_start = Self::schedules(ctx).next_ring(&run.key)?;
        if let Conduct::ScheduleAgain { after_ms } | Conduct::ScheduleAgainAndFail { after_ms } =
            conduct
        {
            let again = Self::schedules(ctx)
                .ring(Conduct::Succeed)
                .key(run.key.clone());
            again.after(Duration::from_millis(after_ms))?;
        }
        let ring = Ring {
            scheduled: run.scheduled,
            started,
            retry_count: run.retry_count,
            is_retry: run.is_retry(),
            next_at_start,
            next_at_end: Self::schedules(ctx).next_ring(&run.key)?,
            object_name: ctx.name(),
            key: run.key,
        };
        let storage = ctx.storage();
        let number = storage.list::<Ring>(&records())?.len();
        storage.put(&format!("ring/{number:06}"), &ring)?;
        // A failing turn is rolled back to its last await, and the record must be kept.
        storage.sync().await?;
        match conduct {
            Conduct::AbortFirst if number == 0 => ctx.abort("as told"),
            Conduct::Succeed | Conduct::AbortFirst | Conduct::ScheduleAgain { .. } => Ok(()),
            Conduct::Fail | Conduct::ScheduleAgainAndFail { .. } => Err(Error::internal("as told")),
            Conduct::Hang => {
                ctx.sleep(Duration::from_secs(600)).await;
                Ok(())
            }
        }
    }

    fn planned(ctx: &Ctx, key: &str) -> Result<Planned, StorageError> {
        Ok(Planned {
            now: ctx.now(),
            next: Self::schedules(ctx).next_ring(key)?,
        })
    }
}

fn records() -> anchorhold::List {
    anchorhold::List::all().prefix("ring/")
}
