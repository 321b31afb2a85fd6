//! A task that is started and stopped while everything fails: each due run happens once, none early,
//! and none after the task was stopped.

use std::collections::BTreeMap;
use std::time::Duration;

use anchorhold::Faults;
use anchorhold::objects::ScheduledTask;
use anchorhold::objects::scheduled_task::{OnMissed, Plan, Run};
use anchorhold::prelude::*;

use crate::clients;

type TaskStub = <ScheduledTask as DurableObject>::Stub;

const PHASES: usize = 2;
/// How often the history is read: it keeps 32 runs.
const LOOKS: usize = 10;

/// The runs that were seen, by their number.
#[derive(Default)]
struct Seen(BTreeMap<u64, Run>);

impl Seen {
    async fn look(&mut self, sim: &Sim, task: &TaskStub) {
        let Ok(runs) = task.history(None).await else {
            return;
        };
        let numbers: Vec<u64> = runs.iter().map(|run| run.number).collect();
        assert!(
            numbers.windows(2).all(|pair| pair[0] == pair[1] + 1),
            "the history has a hole: {numbers:?}"
        );
        // The clock may have been set back since, in the run too.
        let latest = clients::latest_time(sim);
        let was_set = clients::clock_steps(sim) > 0;
        for run in runs {
            assert!(
                run.scheduled <= Some(latest),
                "a run started early: {run:?}"
            );
            if !was_set {
                assert!(
                    run.scheduled <= Some(run.started),
                    "a run started early: {run:?}"
                );
            }
            let known = self.0.entry(run.number).or_insert_with(|| run.clone());
            assert_eq!(*known, run, "a run that was acknowledged has changed");
        }
    }

    fn newest(&self) -> Option<&Run> {
        self.0.values().next_back()
    }

    /// The runs of the plan that has held since then follow one another as it says.
    fn assert_follows(&self, plan: &Plan, since: Timestamp, on_missed: OnMissed) {
        let planned: Vec<&Run> = self
            .0
            .values()
            .filter(|run| run.scheduled.is_some() && run.started >= since)
            .collect();
        for pair in planned.windows(2) {
            let (Some(before), Some(after)) = (pair[0].scheduled, pair[1].scheduled) else {
                continue;
            };
            // By hand it runs in between; a look that failed for long leaves a hole.
            let between = pair[0].number + 1..pair[1].number;
            if !between.clone().all(|number| self.0.contains_key(&number)) {
                continue;
            }
            let from = match on_missed {
                OnMissed::CatchUp => before,
                OnMissed::Skip => pair[0].finished,
            };
            let expected = plan.times(before).find(|time| *time > from);
            assert_eq!(
                Some(after),
                expected,
                "by {plan} a run was left out or repeated: {pair:#?}"
            );
        }
    }
}

/// Until it is acknowledged.
async fn insist<T, E>(sim: &Sim, call: impl AsyncFn() -> Result<T, CallError<E>>) -> T {
    for _ in 0..1_000 {
        if let Ok(value) = call().await {
            return value;
        }
        sim.env().sleep(Duration::from_millis(200)).await;
    }
    panic!("the task does not answer");
}

#[anchorhold::test(seed = 1, seeds = 300, faults = Faults::all())]
async fn each_due_run_happens_and_none_is_early(sim: Sim) {
    let task = sim.objects::<ScheduledTask>().named("a");
    let mut choices = clients::choices(&sim, 0);
    let mut seen = Seen::default();
    for phase in 0..PHASES {
        let on_missed = [OnMissed::Skip, OnMissed::CatchUp][choices.usize(0..2)];
        let plan = match choices.u8(0..3) {
            0 => Plan::cron("* * * * *").unwrap(),
            _ => Plan::every(Duration::from_secs(choices.u64(10..90))).unwrap(),
        }
        .on_missed(on_missed);
        insist(&sim, async || task.follow(plan.clone()).await).await;
        let since = sim.now();
        assert_eq!(
            insist(&sim, async || task.plan().await).await.as_ref(),
            Some(&plan)
        );
        for _ in 0..LOOKS {
            let pause = Duration::from_millis(choices.u64(1_000..30_000));
            sim.env().sleep(pause).await;
            if choices.u8(0..5) == 0 {
                // The number that is answered is in the history, by a later look.
                if let Ok(run) = task.run_now().await {
                    assert_eq!(run.scheduled, None);
                    assert!(seen.0.insert(run.number, run).is_none(), "one number twice");
                }
            }
            seen.look(&sim, &task).await;
        }
        let is_last = phase + 1 == PHASES;
        if is_last {
            clients::heal(&sim).await;
            seen.look(&sim, &task).await;
        }
        // An interval counts time, and cron counts dates: a clock that is set changes what is due.
        if clients::clock_steps(&sim) == 0 {
            seen.assert_follows(&plan, since, on_missed);
            if is_last {
                let newest = seen.newest().and_then(|run| run.scheduled).unwrap();
                let missed: Vec<Timestamp> = plan
                    .times(newest)
                    .take_while(|time| *time < sim.now())
                    .collect();
                assert!(missed.is_empty(), "due, and not run: {missed:?}");
            }
        }
        if !is_last {
            insist(&sim, async || task.stop().await).await;
            let runs = insist(&sim, async || task.status().await).await.runs;
            sim.env().sleep(Duration::from_secs(200)).await;
            let status = insist(&sim, async || task.status().await).await;
            assert_eq!(
                (status.running, status.next_run, status.runs),
                (false, None, runs),
                "a stopped task runs"
            );
        }
    }
    if clients::clock_steps(&sim) > 0 {
        // An interval is put right at the next wake; cron does not repeat dates that have been.
        sim.evict(&task).await;
        let plan = task.plan().await.unwrap();
        if plan.is_some_and(|plan| plan.to_string().contains('*')) {
            sim.advance(clients::quiet_phase(&sim)).await;
        }
    }
    let before = task.status().await.unwrap();
    sim.advance(Duration::from_secs(300)).await;
    let status = task.status().await.unwrap();
    assert!(
        status.running && status.runs > before.runs && status.next_run > Some(sim.now()),
        "the runs have ended: {before:?} {status:?}"
    );
}
