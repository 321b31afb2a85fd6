//! What the disk loses: power failures, and syncs that fail or hang.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::time::Duration;

use anchorhold::__private::run_test;
use anchorhold::prelude::*;
use anchorhold::{FaultKind, Faults};
use futures_util::future::join_all;

#[durable_object]
struct Tally {
    value: u64,
    rung: u64,
}

#[durable_object]
impl Tally {
    #[rpc]
    fn add(&mut self) -> u64 {
        self.value += 1;
        self.value
    }

    #[rpc]
    fn value(&self) -> u64 {
        self.value
    }

    #[rpc]
    fn ring_after(&self, ctx: &Ctx, millis: u64) -> Result<(), StorageError> {
        Self::schedules(ctx)
            .ring()
            .after(Duration::from_millis(millis))
    }

    #[rpc]
    fn rung(&self) -> u64 {
        self.rung
    }

    #[alarm]
    fn ring(&mut self) {
        self.rung += 1;
    }
}

/// The value once nothing fails any more.
async fn value(sim: &Sim, name: &str) -> u64 {
    let tally = sim.objects::<Tally>().named(name);
    loop {
        if let Ok(value) = tally.value().await {
            return value;
        }
    }
}

fn count(sim: &Sim, kind: FaultKind) -> usize {
    let mark = format!("!! {kind}");
    let trace = sim.trace();
    trace.iter().filter(|line| line.ends_with(&mark)).count()
}

#[anchorhold::test]
async fn acknowledged_write_survives_a_power_failure(sim: Sim) {
    let tally = sim.objects::<Tally>().named("a");
    assert_eq!(tally.add().await.unwrap(), 1);
    sim.power_failure().await;
    assert_eq!(tally.add().await.unwrap(), 2);
    sim.evict(&tally).await;
    sim.power_failure().await;
    assert_eq!(tally.value().await.unwrap(), 2);
}

/// Each step of one call has the power fail there; the write is lost or kept, as the seed says, and
/// kept if it was acknowledged.
#[test]
fn unsynced_commit_is_lost_or_kept_when_the_power_fails() {
    let found = RefCell::new(BTreeSet::new());
    for seed in 0..40 {
        for step in 0..30 {
            run_test(Some(seed), "power", async |sim: Sim| {
                let first = sim.steps();
                sim.inject_at(first + step, FaultKind::PowerFailure);
                let acknowledged = sim.objects::<Tally>().named("a").add().await.is_ok();
                let kept = value(&sim, "a").await;
                assert!(!acknowledged || kept == 1, "step {step}: lost");
                let trace = sim.trace();
                let failed_at = trace
                    .iter()
                    .position(|line| line.ends_with("power failure"));
                let committed = failed_at
                    .is_some_and(|at| trace[..at].iter().any(|line| line.contains(" commit ")));
                if committed && !acknowledged {
                    found.borrow_mut().insert(kept);
                }
            });
        }
    }
    assert_eq!(found.into_inner(), BTreeSet::from([0, 1]));
}

#[test]
fn crash_alone_keeps_what_was_committed() {
    for step in 0..30 {
        run_test(Some(1), "crash", async |sim: Sim| {
            sim.inject_at(step, FaultKind::Crash);
            let acknowledged = sim.objects::<Tally>().named("a").add().await.is_ok();
            let trace = sim.trace();
            let released = trace.iter().any(|line| line.contains(" release answer"));
            let kept = value(&sim, "a").await;
            assert!(!(acknowledged || released) || kept == 1, "step {step}");
        });
    }
}

#[anchorhold::test(seed = 1, seeds = 50)]
async fn failed_sync_loses_or_keeps_what_it_reports_as_lost(sim: Sim) {
    sim.set_faults(Faults::none().one_in(2, FaultKind::FailedSync));
    let (mut acknowledged, mut tried) = (0, 0);
    for _ in 0..20 {
        let added = sim.objects::<Tally>().named("a").add().await;
        acknowledged += u64::from(added.is_ok());
        tried += 1;
    }
    assert!(count(&sim, FaultKind::FailedSync) > 0);
    sim.heal().await;
    let kept = value(&sim, "a").await;
    assert!(
        (acknowledged..=tried).contains(&kept),
        "{acknowledged} {kept}"
    );
}

#[test]
fn hanging_sync_delays_the_answer_or_resets_the_object() {
    let outcomes = RefCell::new(BTreeSet::new());
    for seed in 0..20 {
        run_test(Some(seed), "hanging", async |sim: Sim| {
            let tally = sim.objects::<Tally>().named("a");
            tally.add().await.unwrap();
            // Its log may be moved.
            sim.advance(Duration::ZERO).await;
            sim.set_faults(Faults::none().one_in(1, FaultKind::HangingSync));
            let before = sim.now();
            let added = tally.add().await;
            let waited = sim.now().as_millis() - before.as_millis();
            match &added {
                Ok(_) => assert!(waited <= 30_000, "{waited} ms"),
                Err(error) => {
                    assert!(error.to_string().contains("may be kept or lost"), "{error}");
                }
            }
            sim.heal().await;
            sim.advance(Duration::from_secs(300)).await;
            let kept = value(&sim, "a").await;
            assert!(added.is_err() || kept == 2, "{kept}");
            outcomes.borrow_mut().insert(added.is_ok());
        });
    }
    assert_eq!(outcomes.into_inner(), BTreeSet::from([false, true]));
}

/// Of two objects that share a batch, the power failure may take one and leave the other.
#[test]
fn power_failure_decides_for_each_object_on_its_own() {
    let found = RefCell::new(BTreeSet::new());
    for seed in 0..200 {
        run_test(Some(seed), "batch", async |sim: Sim| {
            sim.set_faults(Faults::none().one_in(8, FaultKind::PowerFailure));
            let objects = sim.objects::<Tally>();
            let (a, b) = (objects.named("a"), objects.named("b"));
            let (a, b) = tokio::join!(async { a.add().await }, async { b.add().await });
            sim.heal().await;
            let kept = (value(&sim, "a").await, value(&sim, "b").await);
            assert!(a.is_err() || kept.0 == 1, "a is lost");
            assert!(b.is_err() || kept.1 == 1, "b is lost");
            found.borrow_mut().insert(kept);
        });
    }
    let all = BTreeSet::from([(0, 0), (0, 1), (1, 0), (1, 1)]);
    assert_eq!(found.into_inner(), all);
}

/// A run that was acknowledged happens, whatever the index of alarms loses.
#[test]
fn acknowledged_alarm_survives_two_failures_at_steps_that_are_near() {
    let steps = Cell::new(0);
    run_test(Some(1), "undisturbed", async |sim: Sim| {
        alarm_that_rings(&sim).await;
        steps.set(sim.steps());
    });
    let kinds = [FaultKind::Crash, FaultKind::PowerFailure];
    for first in 0..steps.get() {
        for (second, seed) in (first + 1..first + 6).zip(2..) {
            for kind in kinds {
                run_test(Some(seed), "disturbed", async |sim: Sim| {
                    sim.inject_at(first, kind);
                    sim.inject_at(second, FaultKind::PowerFailure);
                    alarm_that_rings(&sim).await;
                });
            }
        }
    }
}

async fn alarm_that_rings(sim: &Sim) {
    let tally = sim.objects::<Tally>().named("a");
    let mut promised = false;
    for _ in 0..3 {
        promised |= tally.ring_after(1_000).await.is_ok();
    }
    assert!(promised);
    sim.advance(Duration::from_secs(600)).await;
    loop {
        if let Ok(rung) = tally.rung().await {
            assert!(rung > 0, "an acknowledged run did not happen");
            return;
        }
    }
}

#[test]
fn disk_that_hangs_answers_when_the_faults_end() {
    for seed in 0..20 {
        run_test(Some(seed), "healed", async |sim: Sim| {
            sim.set_faults(Faults::none().one_in(1, FaultKind::HangingSync));
            let tally = sim.objects::<Tally>().named("a");
            let call = tally.add();
            let healed = async {
                sim.advance(Duration::from_millis(1)).await;
                sim.heal().await;
                sim.now()
            };
            let (added, at) = tokio::join!(call, healed);
            assert_eq!((added.unwrap(), sim.now()), (1, at));
        });
    }
}

/// Openings wait for the disk as well, and calls wait for them in their order.
#[anchorhold::test]
async fn calls_wait_in_order_while_their_object_is_opened(sim: Sim) {
    let tally = sim.objects::<Tally>().named("a");
    tally.add().await.unwrap();
    sim.evict(&tally).await;
    sim.advance(Duration::ZERO).await;
    sim.hang_syncs();
    // A call is on its way when it is made.
    let value = tally.value();
    let read = async { (value.await, sim.now()) };
    let calls = join_all((0..3).map(|_| tally.add()));
    let restored = async {
        sim.advance(Duration::from_secs(20)).await;
        sim.restore_syncs();
        sim.now()
    };
    let ((read, read_at), added, restored) = tokio::join!(read, calls, restored);
    assert_eq!((read.unwrap(), read_at), (1, restored));
    let added: Vec<u64> = added.into_iter().map(Result::unwrap).collect();
    assert_eq!(added, [2, 3, 4]);

    sim.evict(&tally).await;
    sim.advance(Duration::ZERO).await;
    sim.hang_syncs();
    let late = tally.value().await.expect_err("longer than 30 s");
    assert!(late.to_string().contains("open or close"), "{late}");
    sim.restore_syncs();
    sim.advance(Duration::from_secs(1)).await;
    assert_eq!(tally.value().await.unwrap(), 4);
}

#[anchorhold::test(seed = 1, seeds = 10)]
async fn alarm_that_is_delivered_again_runs_once(sim: Sim) {
    sim.set_faults(Faults::none().one_in(1, FaultKind::RepeatedAlarm));
    let tally = sim.objects::<Tally>().named("a");
    for rings in 1..=5 {
        tally.ring_after(1_000).await.unwrap();
        sim.advance(Duration::from_secs(60)).await;
        assert_eq!(tally.rung().await.unwrap(), rings);
    }
    let trace = sim.trace();
    let delivered = trace.iter().filter(|line| line.contains(" start alarm "));
    assert_eq!(delivered.count(), 10);
    assert_eq!(count(&sim, FaultKind::RepeatedAlarm), 5);
}

#[anchorhold::test(seed = 1, seeds = 10)]
async fn slow_replies_overtake_each_other(sim: Sim) {
    sim.set_faults(Faults::none().one_in(1, FaultKind::SlowReply));
    let tally = sim.objects::<Tally>().named("a");
    let arrived = RefCell::new(Vec::new());
    let calls = (0..8).map(|_| async {
        let value = tally.add().await.unwrap();
        arrived.borrow_mut().push(value);
    });
    join_all(calls).await;
    assert!(!arrived.borrow().is_sorted(), "{arrived:?}");
    arrived.borrow_mut().sort_unstable();
    assert!(arrived.into_inner().into_iter().eq(1..=8));
}

/// What was read is not lost either: an answer waits for the writes that it rests on.
#[anchorhold::test(seed = 1, seeds = 30)]
async fn value_that_was_read_survives_a_power_failure(sim: Sim) {
    sim.set_faults(Faults::none().one_in(1, FaultKind::SlowDisk));
    let tally = sim.objects::<Tally>().named("a");
    let write = tally.add();
    let read = async {
        sim.advance(Duration::from_millis(1)).await;
        tally.value().await
    };
    let failure = async {
        sim.advance(Duration::from_secs(5)).await;
        sim.power_failure().await;
    };
    let (_, read, ()) = tokio::join!(write, read, failure);
    sim.heal().await;
    let kept = value(&sim, "a").await;
    assert!(
        read.is_err() || read.unwrap() <= kept,
        "a value was seen that is lost"
    );
}
