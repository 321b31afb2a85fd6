//! Alarms while somebody sets the clock.

use std::time::Duration;

use anchorhold::prelude::*;

/// A cron alarm whose clock is set back while it runs.
#[durable_object]
struct Cronned {
    runs: u32,
    touched: bool,
}

#[durable_object]
impl Cronned {
    #[rpc]
    fn touch(&mut self) {
        self.touched = true;
    }
    #[rpc]
    fn runs(&self) -> u32 {
        self.runs
    }
    #[alarm(cron = "* * * * *")]
    async fn tick(&mut self, ctx: &Ctx) {
        self.runs += 1;
        ctx.sleep(Duration::from_secs(1)).await;
    }
}

#[anchorhold::test]
async fn cron_alarm_goes_on_when_the_clock_is_set_back_during_its_run(sim: Sim) {
    let object = sim.objects::<Cronned>().named("a");
    object.touch().await.unwrap();
    // 2026-01-01T00:00:00Z: the first run is at 00:01:00.
    sim.advance(Duration::from_millis(60_300)).await;
    // It is at work for a second. A time server sets the clock back by 1.5 s.
    sim.set_clock(sim.now() - Duration::from_millis(1_500))
        .await;
    sim.advance(Duration::from_secs(10 * 60)).await;
    let runs = object.runs().await.unwrap();
    assert!(runs >= 10, "{runs} runs in ten minutes");
}

/// Two runs of the same moment; the clock is set back while the first is at work.
#[durable_object]
struct Twins {
    ran: Vec<String>,
}

#[durable_object]
impl Twins {
    #[rpc]
    fn plan(&self, ctx: &Ctx, at: Timestamp) -> Result<(), StorageError> {
        for key in ["a", "b"] {
            Self::schedules(ctx).ring().key(key).at(at)?;
        }
        Ok(())
    }
    #[rpc]
    fn ran(&self) -> Vec<String> {
        self.ran.clone()
    }
    #[alarm]
    async fn ring(&mut self, ctx: &Ctx, run: AlarmRun) {
        ctx.sleep(Duration::from_millis(500)).await;
        self.ran.push(run.key);
    }
}

#[anchorhold::test]
async fn second_run_of_a_moment_is_not_lost_when_the_clock_is_set_back(sim: Sim) {
    let object = sim.objects::<Twins>().named("a");
    object
        .plan(sim.now() + Duration::from_secs(30))
        .await
        .unwrap();
    sim.advance(Duration::from_millis(30_100)).await;
    sim.set_clock(sim.now() - Duration::from_secs(2)).await;
    sim.advance(Duration::from_secs(3_600)).await;
    assert_eq!(object.ran().await.unwrap().len(), 2);
}

/// The clock is wrong for a minute.
#[durable_object]
struct Minutely {
    runs: u32,
}

#[durable_object]
impl Minutely {
    #[rpc]
    fn touch(&mut self, by: u32) {
        self.runs += by;
    }
    #[rpc]
    fn runs(&self) -> u32 {
        self.runs
    }
    #[alarm(every = "1m")]
    fn tick(&mut self) {
        self.runs += 1;
    }
}

#[anchorhold::test]
async fn recurring_alarm_goes_on_after_the_clock_was_wrong_for_a_moment(sim: Sim) {
    let object = sim.objects::<Minutely>().named("a");
    object.touch(1).await.unwrap();
    sim.advance(Duration::from_secs(90)).await;
    let right = sim.now();
    sim.set_clock(right + Duration::from_secs(365 * 86_400))
        .await;
    sim.advance(Duration::from_secs(1)).await;
    sim.set_clock(right + Duration::from_secs(1)).await;
    let before = object.runs().await.unwrap();
    // Called now and then, evicted in between.
    for _ in 0..6 {
        sim.advance(Duration::from_secs(600)).await;
        object.runs().await.unwrap();
    }
    let runs = object.runs().await.unwrap() - before;
    // The first wake comes after ten minutes.
    assert!(runs >= 49, "{runs} runs in an hour");
}

/// Its first two tries fail.
#[durable_object]
struct Stubborn {
    done: bool,
}

#[durable_object]
impl Stubborn {
    #[rpc]
    fn plan(&self, ctx: &Ctx) -> Result<(), StorageError> {
        Self::schedules(ctx).work().after(Duration::from_secs(1))
    }
    #[rpc]
    fn done(&self) -> bool {
        self.done
    }
    #[alarm]
    fn work(&mut self, run: AlarmRun) -> Result<(), Error> {
        if run.retry_count < 2 {
            return Err(Error::conflict("not_yet", "on purpose"));
        }
        self.done = true;
        Ok(())
    }
}

#[anchorhold::test]
async fn retry_that_a_wrong_clock_put_a_year_away_comes_after_the_next_wake(sim: Sim) {
    let object = sim.objects::<Stubborn>().named("a");
    object.plan().await.unwrap();
    let right = sim.now();
    sim.set_clock(right + Duration::from_secs(365 * 86_400))
        .await;
    sim.set_clock(right).await;
    sim.evict(&object).await;
    assert!(!object.done().await.unwrap());
    sim.advance(Duration::from_secs(60)).await;
    assert!(object.done().await.unwrap());
}
