//! Named schedules over the one alarm.

use std::cell::Cell;
use std::time::Duration;

use anchorhold::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Ring {
    at: Timestamp,
    text: String,
    key: String,
    retry_count: u32,
}

thread_local! {
    /// How often a handler that fails has run: all that its turn stores is taken back.
    static TRIES: Cell<u32> = const { Cell::new(0) };
}

#[durable_object]
struct Clock {
    rings: StoredLog<Ring, 100>,
    ticks: Vec<Timestamp>,
}

#[durable_object]
impl Clock {
    #[rpc]
    fn set(&self, ctx: &Ctx, key: String, text: String, millis: u64) -> Result<(), StorageError> {
        Self::schedules(ctx)
            .ring(text)
            .key(key)
            .after(Duration::from_millis(millis))
    }

    #[rpc]
    fn set_at(&self, ctx: &Ctx, time: Timestamp) -> Result<(), StorageError> {
        Self::schedules(ctx).ring("at".to_owned()).at(time)
    }

    #[rpc]
    fn unset(&self, ctx: &Ctx, key: String) -> Result<bool, StorageError> {
        Self::schedules(ctx).cancel_ring(&key)
    }

    #[rpc]
    fn due(&self, ctx: &Ctx, key: String) -> Result<Option<Timestamp>, StorageError> {
        Self::schedules(ctx).next_ring(&key)
    }

    #[rpc]
    fn rings(&self) -> Result<Vec<Ring>, StorageError> {
        Ok(self
            .rings
            .newest(0..u64::MAX, 100)?
            .into_iter()
            .map(|(_, ring)| ring)
            .collect())
    }

    #[rpc]
    fn ticks(&self) -> Vec<Timestamp> {
        self.ticks.clone()
    }

    #[rpc]
    fn break_down(&self, ctx: &Ctx) -> Result<(), StorageError> {
        Self::schedules(ctx).fail().after(Duration::from_millis(1))
    }

    #[rpc]
    fn tries(&self) -> u32 {
        TRIES.get()
    }

    #[alarm]
    fn ring(&mut self, ctx: &Ctx, text: String, run: AlarmRun) -> Result<(), StorageError> {
        assert_eq!(Self::schedules(ctx).next_ring(&run.key)?, None, "P27");
        if text == "again" {
            Self::schedules(ctx)
                .ring("last".to_owned())
                .key(&*run.key)
                .after(Duration::from_secs(1))?;
        }
        self.rings.push(&Ring {
            at: ctx.now(),
            text,
            key: run.key,
            retry_count: run.retry_count,
        })?;
        Ok(())
    }

    #[alarm]
    fn fail(&mut self, run: AlarmRun) -> Result<(), Error> {
        assert_eq!(run.retry_count, TRIES.get());
        TRIES.set(TRIES.get() + 1);
        Err(Error::internal("as always"))
    }

    #[alarm(every = "10m")]
    fn tick(&mut self, ctx: &Ctx) {
        self.ticks.push(ctx.now());
    }
}

#[anchorhold::test]
async fn runs_come_in_order_with_their_payloads_and_never_early(sim: Sim) {
    let clock = sim.objects::<Clock>().named("a");
    let start = sim.now();
    for (key, millis) in [("late", 300), ("early", 100), ("middle", 200)] {
        clock
            .set(key.to_owned(), format!("{key}!"), millis)
            .await
            .unwrap();
    }
    // Scheduling again replaces.
    clock
        .set("middle".to_owned(), "moved!".to_owned(), 250)
        .await
        .unwrap();
    assert!(clock.unset("late".to_owned()).await.unwrap());
    assert!(!clock.unset("late".to_owned()).await.unwrap());
    sim.advance(Duration::from_secs(1)).await;
    let rings = clock.rings().await.unwrap();
    let texts: Vec<_> = rings.iter().map(|ring| ring.text.as_str()).collect();
    assert_eq!(texts, ["early!", "moved!"]);
    assert!(rings[0].at >= start + Duration::from_millis(100));
    assert!(rings[1].at >= start + Duration::from_millis(250));
    assert_eq!(clock.due("early".to_owned()).await.unwrap(), None);
}

#[anchorhold::test]
async fn a_time_of_zero_is_refused_and_one_in_the_past_runs_at_once(sim: Sim) {
    let clock = sim.objects::<Clock>().named("a");
    assert!(clock.set_at(Timestamp::from_millis(0)).await.is_err());
    assert!(clock.set_at(Timestamp::from_millis(-1)).await.is_err());
    clock.set_at(Timestamp::from_millis(1)).await.unwrap();
    sim.advance(Duration::from_millis(10)).await;
    assert_eq!(clock.rings().await.unwrap().len(), 1);
}

#[anchorhold::test]
async fn a_run_that_schedules_itself_anew_has_one_successor(sim: Sim) {
    let clock = sim.objects::<Clock>().named("a");
    clock
        .set("k".to_owned(), "again".to_owned(), 10)
        .await
        .unwrap();
    sim.advance(Duration::from_secs(60)).await;
    let texts: Vec<_> = clock
        .rings()
        .await
        .unwrap()
        .into_iter()
        .map(|ring| ring.text)
        .collect();
    assert_eq!(texts, ["again", "last"]);
}

#[anchorhold::test]
async fn a_failing_run_is_tried_seven_times_and_delays_no_other_run(sim: Sim) {
    let clock = sim.objects::<Clock>().named("a");
    clock.break_down().await.unwrap();
    clock
        .set("k".to_owned(), "meanwhile".to_owned(), 3_000)
        .await
        .unwrap();
    sim.advance(Duration::from_secs(4)).await;
    assert_eq!(clock.tries().await.unwrap(), 2);
    assert_eq!(clock.rings().await.unwrap().len(), 1);
    // 2 + 4 + 8 + 16 + 32 + 64 s, and a quarter more at most; then no more.
    sim.advance(Duration::from_secs(160)).await;
    assert_eq!(clock.tries().await.unwrap(), 7);
    sim.advance(Duration::from_secs(3600)).await;
    assert_eq!(clock.tries().await.unwrap(), 7);
}

#[anchorhold::test]
async fn an_interval_keeps_its_beat_across_crashes_and_skips_what_it_missed(sim: Sim) {
    let clock = sim.objects::<Clock>().named("a");
    let start = sim.now();
    clock
        .set("k".to_owned(), "written".to_owned(), 1_000)
        .await
        .unwrap();
    sim.advance(Duration::from_secs(25 * 60)).await;
    sim.crash().await;
    sim.advance(Duration::from_secs(10 * 60)).await;
    let ticks = clock.ticks().await.unwrap();
    let minutes: Vec<u64> = ticks
        .iter()
        .map(|tick| (*tick - start).as_secs() / 60)
        .collect();
    assert_eq!(minutes, [10, 20, 30]);
}

#[anchorhold::test]
async fn object_that_is_only_asked_has_no_recurring_alarm(sim: Sim) {
    let clock = sim.objects::<Clock>().named("thought of by a stranger");
    assert_eq!(clock.ticks().await.unwrap(), []);
    sim.advance(Duration::from_secs(60 * 60)).await;
    assert_eq!(clock.ticks().await.unwrap(), []);
    assert!(
        !sim.trace().iter().any(|line| line.contains(" commit ")),
        "nothing was stored: {:?}",
        sim.trace()
    );
}

#[anchorhold::test]
async fn alarms_follow_the_clock_when_it_is_set(sim: Sim) {
    let clock = sim.objects::<Clock>().named("a");
    let start = sim.now();
    clock
        .set("k".to_owned(), "hour".to_owned(), 3_600_000)
        .await
        .unwrap();
    sim.set_clock(start + Duration::from_secs(3_599)).await;
    assert!(clock.rings().await.unwrap().is_empty(), "P26");
    sim.set_clock(start - Duration::from_secs(60)).await;
    sim.advance(Duration::from_secs(3_659)).await;
    assert!(clock.rings().await.unwrap().is_empty(), "P26");
    sim.set_clock(start + Duration::from_secs(3_600)).await;
    assert_eq!(clock.rings().await.unwrap().len(), 1);
}
