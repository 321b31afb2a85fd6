//! A disk without room, and one whose syncs fail or hang: by script, at every step, and by rate.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::time::Duration;

use anchorhold::__private::run_test;
use anchorhold::prelude::*;
use anchorhold::{FaultKind, Faults};
use futures_util::future::join_all;

const HOUR: Duration = Duration::from_secs(3_600);
const MARK: &str = "the disk is full";

#[durable_object(migrations = ["CREATE TABLE entry (text TEXT)"])]
struct Notes {
    count: u64,
    rung: u64,
}

#[durable_object]
impl Notes {
    /// Changes a field only.
    #[rpc]
    fn add(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    /// Writes rows that need new pages, as many as it says, and one of the same count.
    #[rpc]
    fn write(&mut self, ctx: &Ctx, rows: u32) -> Result<(), Error> {
        self.count += 1;
        for _ in 0..rows {
            let text = "x".repeat(2_000);
            let sql = ctx.storage().sql();
            sql.execute("INSERT INTO entry VALUES (?)", (text,))?;
        }
        Ok(())
    }

    /// Takes back what it cannot write, and succeeds with the rest.
    #[rpc]
    fn write_or_not(&mut self, ctx: &Ctx) {
        self.count += 1;
        let _ = ctx.storage().put("big", &vec![1_u8; 20_000]);
    }

    #[rpc]
    fn ring_after(&self, ctx: &Ctx, seconds: u64) -> Result<(), StorageError> {
        Self::schedules(ctx)
            .ring()
            .after(Duration::from_secs(seconds))
    }

    #[rpc]
    fn state(&self, ctx: &Ctx) -> Result<State, StorageError> {
        let rows: Vec<u64> = ctx
            .storage()
            .sql()
            .query("SELECT count(*) FROM entry", ())?;
        Ok((self.count, rows[0], self.rung))
    }

    #[alarm]
    fn ring(&mut self) {
        self.rung += 1;
    }
}

/// Turns that succeeded, rows, runs of the alarm.
type State = (u64, u64, u64);

async fn state(sim: &Sim) -> State {
    loop {
        if let Ok(state) = sim.objects::<Notes>().named("a").state().await {
            return state;
        }
        sim.advance(Duration::from_millis(1)).await;
    }
}

#[anchorhold::test]
async fn full_disk_fails_writes_and_keeps_what_was_acknowledged(sim: Sim) {
    let notes = sim.objects::<Notes>().named("a");
    notes.write(3).await.unwrap();
    sim.fill_disk();
    for _ in 0..5 {
        notes.add().await.expect_err(MARK);
        notes.write(5).await.expect_err(MARK);
        notes.write_or_not().await.expect_err(MARK);
        assert_eq!(state(&sim).await, (1, 3, 0));
    }
    sim.free_disk();
    notes.write(2).await.unwrap();
    assert_eq!(state(&sim).await, (2, 5, 0));
    sim.power_failure().await;
    assert_eq!(state(&sim).await, (2, 5, 0));
}

#[anchorhold::test]
async fn object_that_cannot_be_made_on_a_full_disk_is_made_when_there_is_room(sim: Sim) {
    let notes = sim.objects::<Notes>().named("a");
    sim.fill_disk();
    let refused = notes.write(3).await.expect_err(MARK);
    assert!(refused.to_string().contains(MARK), "{refused}");
    assert_eq!(state(&sim).await, (0, 0, 0));
    sim.free_disk();
    notes.write(3).await.unwrap();
    assert_eq!(state(&sim).await, (1, 3, 0));
}

#[anchorhold::test]
async fn object_in_memory_is_read_while_the_disk_is_full(sim: Sim) {
    let notes = sim.objects::<Notes>().named("a");
    notes.write(3).await.unwrap();
    sim.fill_disk();
    for _ in 0..20 {
        assert_eq!(notes.state().await.unwrap(), (1, 3, 0));
    }
}

#[anchorhold::test(seed = 1, seeds = 5)]
async fn run_that_is_due_while_the_disk_is_full_happens_when_there_is_room(sim: Sim) {
    let notes = sim.objects::<Notes>().named("a");
    notes.ring_after(60).await.unwrap();
    sim.evict(&notes).await;
    sim.fill_disk();
    // Far longer than the tries of a run that fails by itself.
    sim.advance(12 * HOUR).await;
    assert_eq!(state(&sim).await.2, 0);
    sim.free_disk();
    sim.advance(HOUR).await;
    assert_eq!(state(&sim).await.2, 1);
}

/// Each run is tried far more often than a run that fails by itself.
#[anchorhold::test(seed = 1, seeds = 20, faults = Faults::none()
    .one_in(2, FaultKind::FailedCommit)
    .one_in(8, FaultKind::FailedSync)
    .one_in(8, FaultKind::FullDisk))]
async fn tries_that_the_disk_loses_are_not_counted(sim: Sim) {
    let sent = |sim: &Sim, name: &str| {
        let runs = sim.field(&sim.objects::<Notes>().named(name), "rung");
        runs.unwrap().unwrap_or(0_u64)
    };
    let names: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    for name in &names {
        let notes = sim.objects::<Notes>().named(name);
        while notes.ring_after(60).await.is_err() {
            sim.advance(Duration::from_secs(1)).await;
        }
    }
    sim.advance(6 * HOUR).await;
    sim.heal().await;
    sim.advance(HOUR).await;
    for name in &names {
        assert!(sent(&sim, name) >= 1, "the run of {name} was given up");
    }
}

#[anchorhold::test(seed = 1, seeds = 20)]
async fn alarm_that_cannot_enter_the_index_is_refused(sim: Sim) {
    let notes = sim.objects::<Notes>().named("a");
    notes.add().await.unwrap();
    sim.fill_disk();
    notes.ring_after(60).await.expect_err(MARK);
    sim.free_disk();
    sim.advance(HOUR).await;
    assert_eq!(state(&sim).await, (1, 0, 0));
    notes.ring_after(60).await.unwrap();
    sim.advance(HOUR).await;
    assert_eq!(state(&sim).await, (1, 0, 1));
}

/// A disk that becomes full at any step of a scenario loses nothing that was acknowledged, and what
/// is pending happens when it has room again.
#[test]
fn disk_that_is_full_from_any_step_on_loses_nothing_acknowledged() {
    let steps = Cell::new(0);
    run_test(Some(1), "undisturbed", async |sim: Sim| {
        writes_and_alarms(&sim).await;
        steps.set(sim.steps());
    });
    let errors = RefCell::new(BTreeSet::new());
    for step in 0..steps.get() {
        for seed in 0..2 {
            run_test(Some(seed), "full", async |sim: Sim| {
                sim.inject_at(step, FaultKind::FullDisk);
                let failed = writes_and_alarms(&sim).await;
                errors.borrow_mut().extend(failed);
            });
        }
    }
    let errors = errors.into_inner();
    assert!(
        errors.iter().any(|error| error.contains(MARK)),
        "{errors:?}"
    );
}

/// The errors that calls got.
async fn writes_and_alarms(sim: &Sim) -> Vec<String> {
    let notes = sim.objects::<Notes>().named("a");
    let mut errors = Vec::new();
    let (mut acknowledged, mut tried, mut promised) = (0, 0, 0);
    for round in 0..4 {
        let written = if round % 2 == 0 {
            notes.write(3).await.map_err(|error| error.to_string())
        } else {
            notes
                .add()
                .await
                .map(drop)
                .map_err(|error| error.to_string())
        };
        acknowledged += u64::from(written.is_ok());
        tried += 1;
        errors.extend(written.err());
        let rings = notes.ring_after(round * 20).await;
        promised += u64::from(rings.is_ok());
        errors.extend(rings.err().map(|error| error.to_string()));
        sim.evict(&notes).await;
        sim.advance(Duration::from_secs(10)).await;
    }
    sim.heal().await;
    sim.advance(HOUR).await;
    let (count, rows, rung) = state(sim).await;
    assert!((acknowledged..=tried).contains(&count), "{count}");
    assert!(
        rows <= 6 && rows % 3 == 0,
        "{rows} rows: a turn is whole or gone"
    );
    assert!(
        promised == 0 || rung > 0,
        "an acknowledged run did not happen"
    );
    errors
}

/// Several objects at once, on a disk that is full again and again and also fails otherwise.
#[anchorhold::test(seed = 1, seeds = 15)]
async fn nothing_acknowledged_is_lost_on_a_disk_that_is_often_full(sim: Sim) {
    let faults = Faults::none()
        .one_in(15, FaultKind::FullDisk)
        .one_in(30, FaultKind::FailedSync)
        .one_in(30, FaultKind::PowerFailure)
        .one_in(30, FaultKind::Eviction)
        .one_in(30, FaultKind::SlowDisk);
    sim.set_faults(faults);
    let writers = ["a", "b", "c"].map(|name| writer(&sim, name));
    let expected = join_all(writers).await;
    sim.heal().await;
    sim.advance(2 * HOUR).await;
    for (name, (acknowledged, tried, promised)) in ["a", "b", "c"].into_iter().zip(expected) {
        let (count, _, rung) = sim.objects::<Notes>().named(name).state().await.unwrap();
        assert!((acknowledged..=tried).contains(&count), "{name}: {count}");
        assert!(!promised || rung > 0, "{name}: a run did not happen");
    }
}

async fn writer(sim: &Sim, name: &str) -> (u64, u64, bool) {
    let notes = sim.objects::<Notes>().named(name);
    let (mut acknowledged, mut tried, mut promised) = (0, 0, false);
    for round in 0..20 {
        acknowledged += u64::from(notes.write(round % 4).await.is_ok());
        tried += 1;
        promised |= notes.ring_after(u64::from(round)).await.is_ok();
        sim.env().sleep(Duration::from_secs(5)).await;
    }
    (acknowledged, tried, promised)
}

#[anchorhold::test(seed = 1, seeds = 20)]
async fn syncs_that_fail_until_they_are_restored_acknowledge_nothing(sim: Sim) {
    let notes = sim.objects::<Notes>().named("a");
    notes.add().await.unwrap();
    sim.fail_syncs();
    for _ in 0..5 {
        notes.add().await.expect_err("no sync succeeds");
    }
    sim.restore_syncs();
    let (count, ..) = state(&sim).await;
    assert!((1..=6).contains(&count), "{count}");
    assert_eq!(notes.add().await.unwrap(), count + 1);
}

#[anchorhold::test]
async fn syncs_that_hang_delay_answers_until_they_are_restored(sim: Sim) {
    let notes = sim.objects::<Notes>().named("a");
    sim.hang_syncs();
    let call = notes.add();
    let restore = async {
        sim.advance(Duration::from_secs(20)).await;
        sim.restore_syncs();
        sim.now()
    };
    let (added, restored) = tokio::join!(call, restore);
    assert_eq!((added.unwrap(), sim.now()), (1, restored));

    sim.hang_syncs();
    let late = notes.add().await.expect_err("longer than 30 s");
    assert!(late.to_string().contains("may be kept or lost"), "{late}");
    sim.restore_syncs();
}
