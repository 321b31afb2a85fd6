//! Scheduled tasks in the simulator: the shipped one, and its core in an object of one's own.

use std::time::Duration;

use anchorhold::objects::ScheduledTask;
use anchorhold::objects::scheduled_task::{OnMissed, Outcome, Plan, Run, Status, Task};
use anchorhold::prelude::*;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(60 * 60);

fn every(interval: Duration) -> Plan {
    Plan::every(interval).expect("an interval that makes sense")
}

fn seconds_since(start: Timestamp, runs: &[Run]) -> Vec<u64> {
    let scheduled = runs.iter().rev().filter_map(|run| run.scheduled);
    scheduled.map(|time| (time - start).as_secs()).collect()
}

#[anchorhold::test]
async fn the_count_and_the_beat_go_on_across_evictions_and_crashes(sim: Sim) {
    let task = sim.objects::<ScheduledTask>().named("t");
    let start = sim.now();
    task.follow(every(10 * SECOND)).await.unwrap();
    sim.advance(25 * SECOND).await;
    sim.evict(&task).await;
    sim.advance(10 * SECOND).await;
    sim.crash().await;
    sim.advance(20 * SECOND).await;
    let runs = task.history(None).await.unwrap();
    assert_eq!(seconds_since(start, &runs), [10, 20, 30, 40, 50]);
    assert!(runs.iter().all(|run| Some(run.started) >= run.scheduled));
    let status = task.status().await.unwrap();
    assert_eq!(
        status,
        Status {
            running: true,
            runs: 5,
            last_run: Some(runs[0].started),
            next_run: Some(start + 60 * SECOND),
        }
    );
}

#[anchorhold::test]
async fn starting_again_replaces_and_stopping_ends(sim: Sim) {
    let task = sim.objects::<ScheduledTask>().named("t");
    task.stop().await.unwrap();
    task.follow(every(SECOND)).await.unwrap();
    task.start(Some(60_000), None, None).await.unwrap();
    assert_eq!(task.plan().await.unwrap(), Some(every(60 * SECOND)));
    sim.advance(150 * SECOND).await;
    assert_eq!(task.status().await.unwrap().runs, 2);
    task.stop().await.unwrap();
    task.stop().await.unwrap();
    let stopped = task.status().await.unwrap();
    assert_eq!((stopped.running, stopped.next_run), (false, None));
    sim.advance(HOUR).await;
    assert_eq!(task.status().await.unwrap(), stopped);
    task.start(None, Some("0 * * * *".to_owned()), None)
        .await
        .unwrap();
    sim.advance(HOUR).await;
    assert_eq!(task.status().await.unwrap().runs, 3, "the count goes on");
}

#[anchorhold::test]
async fn a_refused_start_leaves_the_task_as_it_was(sim: Sim) {
    let task = sim.objects::<ScheduledTask>().named("t");
    task.follow(every(60 * SECOND)).await.unwrap();
    let before = task.status().await.unwrap();
    for (every_ms, cron) in [
        (None, None),
        (Some(1), None),
        (Some(1_000), Some("* * * * *")),
        (None, Some("no")),
        (None, Some("0 0 31 2 *")),
    ] {
        let refused = task.start(every_ms, cron.map(str::to_owned), None).await;
        let Err(CallError::Application(error)) = refused else {
            panic!("{every_ms:?} {cron:?}: {refused:?}")
        };
        assert_eq!((error.status(), error.code()), (400, "bad_request"));
    }
    assert_eq!(task.status().await.unwrap(), before);
}

#[anchorhold::test]
async fn a_run_by_hand_is_recorded_and_moves_nothing(sim: Sim) {
    let task = sim.objects::<ScheduledTask>().named("t");
    let run = task.run_now().await.unwrap();
    assert_eq!((run.number, run.scheduled), (1, None));
    assert_eq!(task.status().await.unwrap().next_run, None);
    task.follow(every(10 * SECOND)).await.unwrap();
    let before = task.status().await.unwrap();
    sim.advance(4 * SECOND).await;
    let run = task.run_now().await.unwrap();
    assert_eq!((run.number, run.started), (2, sim.now()));
    let status = task.status().await.unwrap();
    assert_eq!((status.runs, status.next_run), (2, before.next_run));
    assert_eq!(task.history(Some(1)).await.unwrap(), [run]);
}

#[anchorhold::test]
async fn missed_runs_are_skipped_or_made_up_for(sim: Sim) {
    let skips = sim.objects::<ScheduledTask>().named("skips");
    let catches_up = sim.objects::<ScheduledTask>().named("catches up");
    let start = sim.now();
    let plan = every(10 * SECOND);
    skips.follow(plan.clone()).await.unwrap();
    catches_up
        .follow(plan.on_missed(OnMissed::CatchUp))
        .await
        .unwrap();
    // Nothing ran for a while.
    sim.crash().await;
    sim.set_clock(start + 45 * SECOND).await;
    sim.advance(SECOND).await;
    let runs = skips.history(None).await.unwrap();
    assert_eq!(seconds_since(start, &runs), [10]);
    let runs = catches_up.history(None).await.unwrap();
    assert_eq!(seconds_since(start, &runs), [10, 20, 30, 40]);
    for task in [skips, catches_up] {
        let next = task.status().await.unwrap().next_run;
        assert_eq!(next, Some(start + 50 * SECOND));
    }
}

#[anchorhold::test]
async fn a_clock_that_is_set_back_costs_an_interval_at_most(sim: Sim) {
    let task = sim.objects::<ScheduledTask>().named("t");
    task.follow(every(10 * SECOND)).await.unwrap();
    sim.advance(15 * SECOND).await;
    sim.set_clock(sim.now() - 24 * HOUR).await;
    sim.evict(&task).await;
    let woken = sim.now();
    let next = task.status().await.unwrap().next_run;
    assert_eq!(next, Some(woken + 10 * SECOND));
    sim.advance(35 * SECOND).await;
    assert_eq!(task.status().await.unwrap().runs, 4);
}

#[anchorhold::test]
async fn a_clock_that_is_set_back_repeats_no_date(sim: Sim) {
    let task = sim.objects::<ScheduledTask>().named("t");
    let start = sim.now();
    task.start(None, Some("0 * * * *".to_owned()), None)
        .await
        .unwrap();
    sim.advance(HOUR + SECOND).await;
    sim.set_clock(start + HOUR - 60 * SECOND).await;
    sim.evict(&task).await;
    sim.advance(2 * HOUR).await;
    let runs = task.history(None).await.unwrap();
    assert_eq!(seconds_since(start, &runs), [3_600, 7_200]);
}

/// Work that takes time and fails when it is told to.
#[durable_object]
struct Digest {
    task: Task,
    takes: u64,
    fails: bool,
}

#[durable_object]
impl Digest {
    #[init]
    fn resume(&mut self, ctx: &Ctx) -> Result<(), Error> {
        let alarm = Self::schedules(ctx).next_send("")?;
        if let Some(at) = self.task.resume(alarm, ctx.now()) {
            Self::schedules(ctx).send().at(at)?;
        }
        Ok(())
    }

    #[rpc]
    fn start(&mut self, ctx: &Ctx, plan: Plan) -> Result<(), Error> {
        let at = self.task.start(plan, ctx.now())?;
        Self::schedules(ctx).send().at(at)?;
        Ok(())
    }

    #[rpc]
    fn stop(&mut self, ctx: &Ctx) -> Result<(), Error> {
        self.task.stop();
        Self::schedules(ctx).cancel_send("")?;
        Ok(())
    }

    #[rpc]
    fn behave(&mut self, takes: u64, fails: bool) {
        (self.takes, self.fails) = (takes, fails);
    }

    #[rpc]
    fn history(&self) -> Vec<Run> {
        self.task.history().cloned().collect()
    }

    /// Whether it is started, and how many runs are pending.
    #[rpc]
    fn pending(&self, ctx: &Ctx) -> Result<(bool, usize), StorageError> {
        // The count is not the task's own, nor the schedule's: it is what lies in the database.
        let query = "SELECT name FROM _anchorhold_schedule";
        let rows: Vec<String> = ctx.storage().sql().query(query, ())?;
        Ok((self.task.status().running, rows.len()))
    }

    #[alarm]
    async fn send(&mut self, ctx: &Ctx, run: AlarmRun) -> Result<(), Error> {
        let Some(attempt) = self.task.begin(&run, ctx.now()) else {
            return Ok(());
        };
        ctx.sleep(Duration::from_millis(self.takes)).await;
        let done = if self.fails { Err("no paper") } else { Ok(()) };
        if let Some(at) = self.task.finish(attempt, done.into(), ctx.now()) {
            Self::schedules(ctx).send().at(at)?;
        }
        Ok(())
    }
}

#[anchorhold::test]
async fn work_that_fails_is_recorded_and_tried_again(sim: Sim) {
    let digest = sim.objects::<Digest>().named("d");
    digest.behave(0, true).await.unwrap();
    digest.start(every(60 * SECOND)).await.unwrap();
    sim.advance(63 * SECOND).await;
    digest.behave(0, false).await.unwrap();
    sim.advance(10 * SECOND).await;
    let history = digest.history().await.unwrap();
    let tries: Vec<_> = history
        .iter()
        .rev()
        .map(|run| (run.retry_count, run.outcome.clone()))
        .collect();
    let failed = || Outcome::Failed("no paper".to_owned());
    assert_eq!(
        tries,
        [(0, failed()), (1, failed()), (2, Outcome::Completed)]
    );
    assert!(
        history
            .iter()
            .all(|run| run.scheduled == history[0].scheduled)
    );
}

#[anchorhold::test]
async fn a_run_that_ends_its_process_is_started_again(sim: Sim) {
    let digest = sim.objects::<Digest>().named("d");
    digest.behave(5_000, false).await.unwrap();
    digest.start(every(60 * SECOND)).await.unwrap();
    sim.advance(62 * SECOND).await;
    sim.crash().await;
    sim.advance(20 * SECOND).await;
    let history = digest.history().await.unwrap();
    assert_eq!(history.len(), 1, "{history:?}");
    assert_eq!(
        (history[0].retry_count, &history[0].outcome),
        (1, &Outcome::Completed)
    );
    assert_eq!(digest.pending().await.unwrap(), (true, 1));
}

#[anchorhold::test]
async fn work_that_takes_longer_than_its_interval_does_not_overlap(sim: Sim) {
    let digest = sim.objects::<Digest>().named("d");
    digest.behave(2_500, false).await.unwrap();
    digest.start(every(SECOND)).await.unwrap();
    sim.advance(20 * SECOND).await;
    let history = digest.history().await.unwrap();
    assert!(history.len() >= 5, "{history:?}");
    for pair in history.windows(2) {
        assert!(pair[1].finished <= pair[0].started, "{pair:?}");
    }
    // A start and a stop that come during a run wait for its end, and have the last word.
    digest.start(every(HOUR)).await.unwrap();
    assert_eq!(digest.pending().await.unwrap(), (true, 1));
    digest.stop().await.unwrap();
    assert_eq!(digest.pending().await.unwrap(), (false, 0));
    let runs = digest.history().await.unwrap().len();
    sim.advance(2 * HOUR).await;
    assert_eq!(digest.history().await.unwrap().len(), runs);
}

/// The simulator's seed decides what happens and when.
#[anchorhold::test]
async fn whatever_happens_one_run_is_pending_or_none(sim: Sim) {
    let digest = sim.objects::<Digest>().named("d");
    let mut state = sim.seed();
    let mut random = |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % below
    };
    // The table of the schedules is made by the first start.
    digest.start(every(SECOND)).await.unwrap();
    for _ in 0..200 {
        match random(8) {
            0 => {
                let policy = if random(2) == 0 {
                    OnMissed::Skip
                } else {
                    OnMissed::CatchUp
                };
                let plan = every(Duration::from_millis(500 + random(100_000)));
                digest.start(plan.on_missed(policy)).await.unwrap();
            }
            1 => digest.stop().await.unwrap(),
            2 => digest.behave(random(3_000), random(4) == 0).await.unwrap(),
            3 => sim.crash().await,
            4 => {
                sim.set_clock(sim.now() + Duration::from_millis(random(3_000_000)))
                    .await
            }
            5 => {
                sim.set_clock(sim.now() - Duration::from_millis(random(3_000_000)))
                    .await
            }
            _ => sim.advance(Duration::from_millis(random(20_000))).await,
        }
        let (running, pending) = digest.pending().await.unwrap();
        assert_eq!(pending, usize::from(running));
    }
}

/// Work that ends its object, whenever it runs.
#[durable_object]
struct Fatal {
    task: Task,
}

#[durable_object]
impl Fatal {
    #[init]
    fn resume(&mut self, ctx: &Ctx) -> Result<(), Error> {
        let alarm = Self::schedules(ctx).next_send("")?;
        if let Some(at) = self.task.resume(alarm, ctx.now()) {
            Self::schedules(ctx).send().at(at)?;
        }
        Ok(())
    }

    #[rpc]
    fn start(&mut self, ctx: &Ctx, plan: Plan) -> Result<(), Error> {
        let at = self.task.start(plan, ctx.now())?;
        Self::schedules(ctx).send().at(at)?;
        Ok(())
    }

    #[rpc]
    fn history(&self) -> Vec<Run> {
        self.task.history().cloned().collect()
    }

    #[alarm]
    async fn send(&mut self, ctx: &Ctx, run: AlarmRun) -> Result<(), Error> {
        let _ = self.task.begin(&run, ctx.now());
        ctx.abort("the work is fatal")
    }
}

#[anchorhold::test]
async fn a_run_that_always_dies_is_given_up(sim: Sim) {
    let fatal = sim.objects::<Fatal>().named("d");
    fatal.start(every(HOUR)).await.unwrap();
    for _ in 0..20 {
        sim.advance(600 * SECOND).await;
        // Something wakes it, now and then.
        let _ = fatal.history().await;
    }
    let history = fatal.history().await.unwrap();
    assert!((2..=3).contains(&history.len()), "{history:?}");
    for run in &history {
        assert!(matches!(&run.outcome, Outcome::Failed(why) if why.contains("died")));
    }
    let tries = sim
        .trace()
        .iter()
        .filter(|line| line.contains("start alarm"))
        .count();
    // After the seventh the platform's alarm fires once more, and drops the run.
    assert!(tries <= 8 * 3, "{tries} tries of three runs");
}

#[anchorhold::test]
async fn a_task_that_is_looked_at_is_not_silent_after_the_clock_is_set_back(sim: Sim) {
    let task = sim.objects::<ScheduledTask>().named("t");
    task.follow(every(10 * SECOND)).await.unwrap();
    sim.advance(25 * SECOND).await;
    let before = task.status().await.unwrap().runs;
    assert_eq!(before, 2);
    sim.set_clock(sim.now() - 100 * HOUR).await;
    for _ in 0..40 {
        sim.advance(SECOND).await;
        task.status().await.unwrap();
    }
    let runs = task.status().await.unwrap().runs;
    assert!(
        (3..=6).contains(&(runs - before + 2)) && runs > before,
        "{runs} after {before}"
    );
}
