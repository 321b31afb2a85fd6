//! What only the embedded host is measured by: calls within its process, and alarms.

use std::sync::atomic::{AtomicU64, Ordering};

use anchorhold::prelude::*;
use futures_util::future::try_join_all;
use serde::Deserialize;

use super::DurableCounter;

/// How many alarms have run in this process.
static RUNS: AtomicU64 = AtomicU64::new(0);

/// An object with one alarm.
#[durable_object]
pub struct Sleeper {
    runs: u64,
}

#[durable_object]
impl Sleeper {
    #[rpc]
    fn sleep_until(&mut self, ctx: &Ctx, at: Timestamp) -> Result<(), StorageError> {
        Self::schedules(ctx).wake().at(at)
    }

    #[alarm]
    fn wake(&mut self) {
        self.runs += 1;
        RUNS.fetch_add(1, Ordering::Relaxed);
    }
}

/// `callers` call `each` times, one after another.
#[derive(Deserialize)]
struct Calls {
    callers: u32,
    each: u32,
}

/// The objects `first` to `first + count` have an alarm at `at`, in milliseconds since 1970.
#[derive(Deserialize)]
struct Alarms {
    first: u32,
    count: u32,
    at: i64,
}

pub fn routes(app: App) -> App {
    app.object::<Sleeper>()
        .post("/calls", async |mut request, env| {
            let Calls { callers, each } = request.json().await?;
            try_join_all((0..callers).map(async |_| {
                for _ in 0..each {
                    let counter = env.objects::<DurableCounter>().named("called");
                    counter.increment(1).await?;
                }
                Ok::<_, Error>(())
            }))
            .await?;
            Response::json(200, &(callers * each))
        })
        .post("/alarms", async |mut request, env| {
            let Alarms { first, count, at } = request.json().await?;
            let at = Timestamp::from_millis(at);
            try_join_all((first..first + count).map(async |number| {
                let sleeper = env.objects::<Sleeper>().named(&format!("sleeper-{number}"));
                sleeper.sleep_until(at).await?;
                Ok::<_, Error>(())
            }))
            .await?;
            Response::json(200, &count)
        })
        .get("/alarms", async |_, _| {
            Response::json(200, &RUNS.load(Ordering::Relaxed))
        })
}
