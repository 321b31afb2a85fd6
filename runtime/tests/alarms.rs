//! Alarms: fired by what was committed, whatever happened to the object, its host or its clock.

use std::collections::BTreeMap;
use std::time::Duration;

use anchorhold::__private::run_test;
use anchorhold::Sim;
use anchorhold::prelude::*;

/// Rings at times that callers choose.
#[durable_object]
struct Bell {
    rung: Vec<(String, Timestamp)>,
    loops: u64,
}

#[durable_object]
impl Bell {
    #[rpc]
    fn set(&self, ctx: &Ctx, key: String, after_ms: u64) -> Result<(), StorageError> {
        Self::schedules(ctx)
            .ring(key.clone())
            .key(key)
            .after(Duration::from_millis(after_ms))
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
    fn rung(&self) -> Vec<(String, Timestamp)> {
        self.rung.clone()
    }

    #[rpc]
    fn start(&self, ctx: &Ctx, what: String) -> Result<(), StorageError> {
        let soon = Duration::from_millis(10);
        match what.as_str() {
            "endless" => Self::schedules(ctx).endless().after(soon),
            "slow" => Self::schedules(ctx).slow().after(soon),
            "again" => Self::schedules(ctx).again().after(soon),
            "poisoned" => Self::schedules(ctx).poisoned().after(soon),
            "long" => (0..6).try_for_each(|number| {
                Self::schedules(ctx)
                    .long()
                    .key(number.to_string())
                    .after(soon)
            }),
            _ => Ok(()),
        }
    }

    #[rpc]
    fn tries(&self, ctx: &Ctx) -> Result<Vec<u32>, StorageError> {
        Ok(ctx.storage().get("tries")?.unwrap_or_default())
    }

    #[rpc]
    fn loops(&self) -> u64 {
        self.loops
    }

    #[rpc]
    async fn occupy(&mut self, ctx: &Ctx, millis: u64) {
        ctx.sleep(Duration::from_millis(millis)).await;
    }

    #[alarm]
    fn ring(&mut self, ctx: &Ctx, key: String) {
        self.rung.push((key, ctx.now()));
    }

    /// Over the limit of 15 minutes.
    #[alarm]
    async fn endless(&self, ctx: &Ctx, run: AlarmRun) -> Result<(), StorageError> {
        note_try(ctx, &run)?;
        ctx.storage().sync().await?;
        ctx.storage().put("undone", &true)?;
        ctx.sleep(Duration::from_secs(3_600)).await;
        Ok(())
    }

    #[alarm]
    async fn slow(&self, ctx: &Ctx, run: AlarmRun) -> Result<(), StorageError> {
        note_try(ctx, &run)?;
        ctx.sleep(Duration::from_secs(5)).await;
        Ok(())
    }

    /// Within the limit, but not several times.
    #[alarm]
    async fn long(&self, ctx: &Ctx, run: AlarmRun) -> Result<(), StorageError> {
        note_try(ctx, &run)?;
        ctx.sleep(Duration::from_secs(4 * 60)).await;
        self.set(ctx, "after a long one".to_owned(), 0)
    }

    /// Schedules itself at once, for ever.
    #[alarm]
    fn again(&mut self, ctx: &Ctx) -> Result<(), StorageError> {
        self.loops += 1;
        Self::schedules(ctx).again().at(ctx.now())
    }

    #[alarm]
    fn poisoned(&mut self) {
        panic!("on purpose");
    }
}

/// Not in a field: a turn that awaits would keep others from reading it.
fn note_try(ctx: &Ctx, run: &AlarmRun) -> Result<(), StorageError> {
    let mut tries: Vec<u32> = ctx.storage().get("tries")?.unwrap_or_default();
    tries.push(run.retry_count);
    ctx.storage().put("tries", &tries)
}

fn is_firing(line: &str) -> bool {
    line.split(' ').nth(1) == Some("alarm")
}

fn firings(sim: &Sim) -> usize {
    sim.trace().iter().filter(|line| is_firing(line)).count()
}

#[anchorhold::test]
async fn nearer_run_fires_on_time_when_set_after_a_wake(sim: Sim) {
    for (name, crash, evict) in [
        ("evicted", false, false),
        ("crashed", true, false),
        ("evicted twice", false, true),
        ("crashed, then evicted", true, true),
    ] {
        let bell = sim.objects::<Bell>().named(name);
        bell.set("hour".to_owned(), 3_600_000).await.unwrap();
        if crash {
            sim.crash().await;
        } else {
            sim.evict(&bell).await;
        }
        let set_at = sim.now();
        bell.set("soon".to_owned(), 5_000).await.unwrap();
        if evict {
            sim.evict(&bell).await;
        }
        sim.advance(Duration::from_secs(6)).await;
        let due = set_at + Duration::from_secs(5);
        assert_eq!(
            bell.rung().await.unwrap(),
            [("soon".to_owned(), due)],
            "{name}"
        );
    }
    sim.advance(Duration::from_secs(3_600)).await;
    let bell = sim.objects::<Bell>().named("evicted");
    assert_eq!(bell.rung().await.unwrap().len(), 2);
}

/// The alarm comes due while a turn has taken it back, and the host dies before that is committed.
#[test]
fn run_that_is_cancelled_in_a_transaction_that_is_lost_still_comes() {
    for seed in 0..400 {
        run_test(Some(seed), "cancelled", move |sim: Sim| async move {
            let bell = sim.objects::<Bell>().named("a");
            let other = sim.objects::<Bell>().named("b");
            bell.set("k".to_owned(), 1_000).await.unwrap();
            let due = sim.now() + Duration::from_secs(1);
            if seed % 2 == 0 {
                sim.evict(&bell).await;
            }
            // A batch on its way keeps what follows uncommitted for a while.
            let _busy = other.set("k".to_owned(), 3_600_000);
            yields(seed / 2 % 7).await;
            let cancelled = bell.unset("k".to_owned());
            yields(seed / 14 % 7).await;
            tokio::select! {
                biased;
                () = sim.set_clock(due) => {}
                () = yields(seed / 98 + seed % 13) => {}
            }
            sim.crash().await;
            let is_known = cancelled.await.is_ok();
            sim.advance(Duration::from_secs(90)).await;
            sim.crash().await;
            let pending = bell.due("k".to_owned()).await.unwrap();
            assert_eq!(pending, None, "seed {seed}: lost; cancelled: {is_known}");
            let rung = bell.rung().await.unwrap().len();
            assert!(rung <= usize::from(!is_known), "seed {seed}: {rung}");
        });
    }
}

async fn yields(times: u64) {
    for _ in 0..times {
        tokio::task::yield_now().await;
    }
}

#[anchorhold::test]
async fn run_moved_later_or_cancelled_after_a_wake_does_not_fire_at_its_old_time(sim: Sim) {
    let bell = sim.objects::<Bell>().named("a");
    bell.set("moved".to_owned(), 5_000).await.unwrap();
    bell.set("cancelled".to_owned(), 6_000).await.unwrap();
    sim.evict(&bell).await;
    bell.set("moved".to_owned(), 60_000).await.unwrap();
    assert!(bell.unset("cancelled".to_owned()).await.unwrap());
    sim.advance(Duration::from_secs(30)).await;
    assert_eq!(bell.rung().await.unwrap(), []);
    sim.crash().await;
    sim.advance(Duration::from_secs(31)).await;
    assert_eq!(bell.rung().await.unwrap().len(), 1);
}

#[anchorhold::test]
async fn run_over_fifteen_minutes_is_a_failed_try(sim: Sim) {
    let bell = sim.objects::<Bell>().named("a");
    bell.start("endless".to_owned()).await.unwrap();
    sim.advance(Duration::from_secs(14 * 60)).await;
    assert_eq!(bell.tries().await.unwrap(), [0]);
    sim.advance(Duration::from_secs(2 * 60)).await;
    assert_eq!(bell.tries().await.unwrap(), [0, 1], "retried after a reset");
    let resets = sim
        .trace()
        .iter()
        .filter(|line| line.contains("reset"))
        .count();
    assert_eq!(resets, 1);
    sim.advance(Duration::from_secs(3 * 3_600)).await;
    assert_eq!(bell.tries().await.unwrap(), [0, 1, 2, 3, 4, 5, 6]);
    assert!(firings(&sim) < 30, "{} firings", firings(&sim));
}

#[anchorhold::test]
async fn runs_due_together_have_fifteen_minutes_each(sim: Sim) {
    let bell = sim.objects::<Bell>().named("a");
    bell.start("long".to_owned()).await.unwrap();
    sim.advance(Duration::from_secs(3_600)).await;
    assert_eq!(bell.tries().await.unwrap(), [0; 6], "none was cut off");
    assert!(!sim.trace().iter().any(|line| line.contains("reset")));
}

#[anchorhold::test]
async fn run_over_fifteen_minutes_delays_other_runs_by_one_try_at_most(sim: Sim) {
    let bell = sim.objects::<Bell>().named("a");
    bell.start("endless".to_owned()).await.unwrap();
    sim.advance(Duration::from_secs(60)).await;
    bell.set("k".to_owned(), 1_000).await.unwrap();
    sim.advance(Duration::from_secs(15 * 60)).await;
    assert_eq!(bell.rung().await.unwrap().len(), 1, "before the second try");
}

#[anchorhold::test]
async fn run_that_finds_its_object_busy_is_retried_uncounted(sim: Sim) {
    let bell = sim.objects::<Bell>().named("a");
    bell.start("slow".to_owned()).await.unwrap();
    let objects = sim.objects::<Bell>();
    let occupied: Vec<_> = (0..12).map(|_| objects.named("a").occupy(31_000)).collect();
    for occupied in occupied {
        // Those that wait too long are refused, which is not what this is about.
        drop(occupied.await);
    }
    sim.advance(Duration::from_secs(600)).await;
    assert_eq!(bell.tries().await.unwrap(), [0]);
}

#[anchorhold::test]
async fn run_that_schedules_itself_at_once_leaves_others_their_turns(sim: Sim) {
    let bell = sim.objects::<Bell>().named("a");
    bell.start("again".to_owned()).await.unwrap();
    sim.advance(Duration::from_millis(50)).await;
    let before = bell.loops().await.unwrap();
    assert!(before > 10, "{before} runs in 40 ms");
    let other = sim.objects::<Bell>().named("other");
    other.set("k".to_owned(), 5).await.unwrap();
    sim.advance(Duration::from_millis(5)).await;
    assert_eq!(other.rung().await.unwrap().len(), 1);
    // Each run is committed.
    sim.crash().await;
    assert!(bell.loops().await.unwrap() >= before);
}

#[anchorhold::test]
async fn crash_during_a_run_repeats_it_once(sim: Sim) {
    let bell = sim.objects::<Bell>().named("a");
    bell.start("slow".to_owned()).await.unwrap();
    sim.advance(Duration::from_secs(1)).await;
    assert_eq!(firings(&sim), 1);
    sim.crash().await;
    sim.advance(Duration::from_secs(60)).await;
    assert_eq!(bell.tries().await.unwrap().last(), Some(&1));
    assert!(firings(&sim) <= 4, "{} firings", firings(&sim));
}

#[anchorhold::test]
async fn poisoned_run_holds_up_no_other(sim: Sim) {
    let bell = sim.objects::<Bell>().named("a");
    bell.start("poisoned".to_owned()).await.unwrap();
    bell.set("k".to_owned(), 5_000).await.unwrap();
    let due = sim.now() + Duration::from_secs(5);
    sim.advance(Duration::from_secs(6)).await;
    assert_eq!(bell.rung().await.unwrap(), [("k".to_owned(), due)]);
    sim.advance(Duration::from_secs(3_600)).await;
    assert!(firings(&sim) < 30, "{} firings", firings(&sim));
}

#[anchorhold::test]
async fn clock_set_during_a_commit_resets_no_object(sim: Sim) {
    let bell = sim.objects::<Bell>().named("a");
    for steps in 0..20 {
        for hours in [1, -1] {
            let set = bell.set(format!("{steps} {hours}"), 86_400_000);
            for _ in 0..steps {
                tokio::task::yield_now().await;
            }
            let hour = Duration::from_secs(3_600);
            let now = if hours > 0 {
                sim.now() + hour
            } else {
                sim.now() - hour
            };
            sim.set_clock(now).await;
            set.await.unwrap();
        }
    }
    assert!(!sim.trace().iter().any(|line| line.contains("reset")));
}

#[anchorhold::test]
async fn retries_pause_as_long_when_the_clock_is_set(sim: Sim) {
    let bell = sim.objects::<Bell>().named("a");
    bell.set("k".to_owned(), 10_000).await.unwrap();
    sim.set_clock(sim.now() - Duration::from_secs(3_600)).await;
    sim.advance(Duration::from_secs(60)).await;
    assert_eq!(bell.rung().await.unwrap(), [], "P26");
    sim.set_clock(sim.now() + Duration::from_secs(3_600)).await;
    assert_eq!(bell.rung().await.unwrap().len(), 1);
}

#[anchorhold::test]
async fn many_due_alarms_at_a_start_leave_room_for_requests(sim: Sim) {
    const BELLS: usize = 1_500;
    let objects = sim.objects::<Bell>();
    let bells: Vec<_> = (0..BELLS).map(|n| objects.named(&n.to_string())).collect();
    let due = sim.now() + Duration::from_secs(600);
    for bell in &bells {
        let after = u64::try_from((due - sim.now()).as_millis()).unwrap();
        bell.set("k".to_owned(), after).await.unwrap();
    }
    sim.crash().await;
    let before = sim.trace().len();
    sim.set_clock(due).await;
    let other = sim.objects::<Bell>().named("other");
    other.loops().await.unwrap();
    let trace = sim.trace();
    let answered = trace
        .iter()
        .skip(before)
        .position(|line| line.contains("start loops"));
    assert!(answered.is_some());
    sim.advance(Duration::from_secs(5)).await;
    let trace = sim.trace();
    for bell in &bells {
        assert_eq!(bell.rung().await.unwrap().len(), 1);
    }
    // At no time are more under way than may be.
    let (mut under_way, mut most) = (0_usize, 0);
    for line in trace.iter().skip(before) {
        under_way += usize::from(is_firing(line));
        most = most.max(under_way);
        if line.contains(" commit ") {
            under_way = 0;
        }
    }
    assert!(most <= 64, "{most} alarms fired between two commits");
}

/// What callers were told, under a seeded order of events with evictions and crashes in between:
/// acknowledged runs come, once each, and cancelled ones do not.
#[test]
fn acknowledged_runs_come_whatever_fails_around_them() {
    for seed in 0..400 {
        run_test(Some(seed), "sweep", move |sim: Sim| sweep(sim, seed));
    }
}

async fn sweep(sim: Sim, seed: u64) {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut below = move |bound: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % bound
    };
    let bell = sim.objects::<Bell>().named("a");
    // By key: when it is due; None if that is not known, as a call was cut off.
    let mut pending: BTreeMap<String, Option<Timestamp>> = BTreeMap::new();
    let mut names = 0;
    for _ in 0..25 {
        match below(8) {
            0..3 => {
                names += 1;
                let (key, after) = (format!("run {names}"), 1 + below(20_000));
                let due = sim.now() + Duration::from_millis(after);
                let set = bell.set(key.clone(), after);
                if below(3) == 0 {
                    yields(below(30)).await;
                    sim.crash().await;
                }
                pending.insert(key, set.await.is_ok().then_some(due));
            }
            3 if !pending.is_empty() => {
                let position = below(pending.len() as u64) as usize;
                let key = pending.keys().nth(position).cloned().unwrap();
                let unset = bell.unset(key.clone());
                if below(3) == 0 {
                    yields(below(30)).await;
                    sim.crash().await;
                }
                match unset.await {
                    // Whether there was one or not, it has run or it will not.
                    Ok(_) => drop(pending.remove(&key)),
                    Err(_) => drop(pending.insert(key, None)),
                }
            }
            4 => sim.crash().await,
            5 => sim.evict(&bell).await,
            _ => sim.advance(Duration::from_millis(below(5_000))).await,
        }
    }
    sim.crash().await;
    sim.advance(Duration::from_secs(60)).await;
    let rung = bell.rung().await.unwrap();
    for (key, due) in pending {
        let times: Vec<Timestamp> = rung
            .iter()
            .filter(|(rung, _)| *rung == key)
            .map(|(_, at)| *at)
            .collect();
        let Some(due) = due else { continue };
        assert_eq!(
            times.len(),
            1,
            "seed {seed}: {key} ran at {times:?}, due at {due}"
        );
        assert!(times[0] >= due, "seed {seed}: {key} ran early");
    }
}
