//! Tests the core without a host, against a model of the platform's alarm and clock.

use std::time::Duration;

use anchorhold::{AlarmRun, Timestamp};
use proptest::prelude::*;

use super::{HISTORY, MAX_CATCH_UP, MAX_MESSAGE, MAX_RETRIES, OnMissed, Outcome, Plan, Task};

const START: i64 = 1_767_225_600_000;
const HOUR: i64 = 60 * 60 * 1_000;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// The runtime and the platform around a task: one alarm, which is retried when its run dies.
struct World {
    now: Timestamp,
    task: Task,
    alarm: Option<Timestamp>,
    deaths: u32,
    /// The planned times of the runs that have ended, without retries.
    served: Vec<Timestamp>,
}

impl World {
    fn new() -> Self {
        Self {
            now: at(START),
            task: Task::default(),
            alarm: None,
            deaths: 0,
            served: Vec::new(),
        }
    }

    fn put(&mut self, time: Option<Timestamp>) {
        if let Some(time) = time {
            assert!(time > self.now, "{time} is not after {}", self.now);
            self.alarm = Some(time);
            self.deaths = 0;
        }
    }

    fn start(&mut self, plan: Plan) {
        let first = self.task.start(plan, self.now).expect("it comes true");
        self.put(Some(first));
    }

    fn stop(&mut self) {
        self.task.stop();
        self.alarm = None;
    }

    fn wake(&mut self) {
        let time = self.task.resume(self.alarm, self.now);
        self.put(time);
    }

    /// Fires the next alarm if it is due by `until`: sets the clock to it and starts the run.
    fn fire(&mut self, until: Timestamp) -> Option<AlarmRun> {
        let due = self.alarm.filter(|due| *due <= until)?;
        self.now = self.now.max(due);
        self.alarm = None;
        Some(AlarmRun {
            scheduled: due,
            retry_count: self.deaths,
            key: String::new(),
        })
    }

    fn run(&mut self, alarm: &AlarmRun, took: Duration, outcome: Outcome) {
        let attempt = self.task.begin(alarm, self.now).expect("a run is due");
        self.now = self.now + took;
        let scheduled = attempt.scheduled();
        let time = self.task.finish(attempt, outcome, self.now);
        if time.is_some()
            && self
                .task
                .history()
                .next()
                .is_some_and(|run| run.outcome == Outcome::Completed)
        {
            self.served.push(scheduled);
        }
        self.put(time);
    }

    /// The process dies during a run. Only what the runtime wrote before the run remains.
    fn die(&mut self, alarm: &AlarmRun) {
        self.deaths = alarm.retry_count + 1;
        let pause = Duration::from_secs(2 << alarm.retry_count.min(MAX_RETRIES));
        self.alarm = (self.deaths <= MAX_RETRIES).then(|| self.now + pause);
    }

    fn pass(&mut self, duration: Duration) {
        let until = self.now + duration;
        while let Some(alarm) = self.fire(until) {
            self.run(&alarm, Duration::ZERO, Outcome::Completed);
        }
        self.now = self.now.max(until);
    }
}

#[derive(Clone, Debug)]
enum Event {
    Start(Plan),
    Stop,
    ByHand,
    Pass(Duration),
    /// A run with its duration, and whether it fails.
    Run(Duration, bool),
    /// This many tries of a run die, one after another.
    Die(u8),
    Wake,
    /// The clock is set, by this number of milliseconds.
    SetClock(i64),
}

fn plan() -> impl Strategy<Value = Plan> {
    let interval = (10_u64..100_000).prop_map(|millis| Plan::every(Duration::from_millis(millis)));
    let cron = prop_oneof![
        Just("* * * * *"),
        Just("*/5 * * * *"),
        Just("0 4 * * *"),
        Just("30 1 1 * 1"),
    ]
    .prop_map(Plan::cron);
    let policy = prop_oneof![Just(OnMissed::Skip), Just(OnMissed::CatchUp)];
    (prop_oneof![interval, cron], policy)
        .prop_map(|(plan, policy)| plan.expect("a plan that makes sense").on_missed(policy))
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        plan().prop_map(Event::Start),
        Just(Event::Stop),
        Just(Event::ByHand),
        (0_u64..200_000).prop_map(|millis| Event::Pass(Duration::from_millis(millis))),
        (0_u64..60_000, any::<bool>())
            .prop_map(|(millis, fails)| Event::Run(Duration::from_millis(millis), fails)),
        (1_u8..8).prop_map(Event::Die),
        Just(Event::Wake),
        prop_oneof![-1_000_i64..1_000, -90_000_000_i64..90_000_000].prop_map(Event::SetClock),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn one_run_is_pending_while_the_task_is_started_and_none_otherwise(
        events in prop::collection::vec(event(), 1..40),
    ) {
        let mut world = World::new();
        let mut runs = 0;
        for event in events {
            match event {
                Event::Start(plan) => world.start(plan),
                Event::Stop => world.stop(),
                Event::ByHand => {
                    let before = world.task.next_run();
                    let run = world.task.ran_by_hand(world.now, Outcome::Completed, world.now);
                    prop_assert_eq!(run.scheduled, None);
                    prop_assert_eq!(world.task.next_run(), before);
                }
                Event::Pass(duration) => {
                    // Bounded, because a short interval would run indefinitely.
                    let until = world.now + duration;
                    for _ in 0..20 {
                        let Some(alarm) = world.fire(until) else { break };
                        world.run(&alarm, Duration::ZERO, Outcome::Completed);
                    }
                }
                Event::Run(took, fails) => {
                    if let Some(alarm) = world.fire(at(i64::MAX)) {
                        let outcome = if fails { Outcome::Failed("no".to_owned()) } else { Outcome::Completed };
                        world.run(&alarm, took, outcome);
                    }
                }
                Event::Die(times) => {
                    for _ in 0..times {
                        let Some(alarm) = world.fire(at(i64::MAX)) else { break };
                        world.die(&alarm);
                    }
                }
                Event::Wake => world.wake(),
                Event::SetClock(by) => world.now = at(world.now.as_millis() + by),
            }
            // A wake detects that the platform dropped a run, or that the clock was set.
            world.wake();
            prop_assert_eq!(world.alarm.is_some(), world.task.plan().is_some());
            prop_assert_eq!(world.task.next_run().is_some(), world.task.plan().is_some());
            prop_assert_eq!(world.task.resume(world.alarm, world.now), None, "once is enough");
            let status = world.task.status();
            prop_assert!(status.runs >= runs);
            runs = status.runs;
            let kept: Vec<u64> = world.task.history().map(|run| run.number).collect();
            let newest: Vec<u64> = (1..=runs).rev().take(HISTORY).collect();
            prop_assert_eq!(kept, newest);
        }
    }

    #[test]
    fn an_interval_waits_at_most_for_itself_whatever_the_clock_does(
        millis in 10_u64..1_000_000,
        steps in prop::collection::vec(-100_000_000_i64..100_000_000, 1..20),
    ) {
        let interval = Duration::from_millis(millis);
        let mut world = World::new();
        world.start(Plan::every(interval).unwrap());
        for step in steps {
            world.now = at(world.now.as_millis() + step);
            world.wake();
            let alarm = world.alarm.expect("it is started");
            prop_assert!(alarm - world.now <= interval, "{alarm} seen from {}", world.now);
            if let Some(alarm) = world.fire(world.now) {
                world.run(&alarm, Duration::ZERO, Outcome::Completed);
            }
        }
    }

    #[test]
    fn catching_up_serves_each_missed_time_once_and_in_order(
        plan in plan(),
        outages in prop::collection::vec(0_u64..2_000_000, 1..6),
    ) {
        let plan = plan.on_missed(OnMissed::CatchUp);
        let mut world = World::new();
        world.start(plan.clone());
        for outage in outages {
            // The object does not run during the outage. Afterwards the due run starts.
            world.now = world.now + Duration::from_millis(outage);
            let before = world.served.len();
            let due = world.alarm.expect("it is started");
            let late = world.now;
            world.pass(Duration::from_millis(u64::from(MAX_CATCH_UP) + 1));
            let missed: Vec<_> = std::iter::once(due)
                .chain(plan.times(due))
                .take_while(|time| *time <= late)
                .take(MAX_CATCH_UP as usize + 1)
                .collect();
            prop_assert_eq!(&world.served[before..][..missed.len()], &missed[..]);
            prop_assert!(world.alarm > Some(world.now));
        }
        prop_assert!(world.served.is_sorted_by(|one, next| one < next));
    }

    #[test]
    fn skipping_makes_up_for_one_run_and_goes_on_with_the_next_time_to_come(
        plan in plan(),
        outage in 0_u64..10_000_000,
    ) {
        let plan = plan.on_missed(OnMissed::Skip);
        let mut world = World::new();
        world.start(plan.clone());
        let first = world.alarm.expect("it is started");
        world.now = first + Duration::from_millis(outage);
        world.pass(Duration::ZERO);
        prop_assert_eq!(&world.served, &[first]);
        prop_assert_eq!(world.alarm, plan.times(first).find(|time| *time > world.now));
    }

    #[test]
    fn a_plan_survives_its_written_form(plan in plan()) {
        let json = serde_json::to_string(&plan).unwrap();
        prop_assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan);
    }
}

#[test]
fn what_was_missed_beyond_the_bound_is_skipped() {
    let mut world = World::new();
    let plan = Plan::every(Duration::from_secs(1)).unwrap();
    world.start(plan.on_missed(OnMissed::CatchUp));
    world.now = at(START + HOUR);
    world.pass(Duration::from_millis(500));
    assert_eq!(
        world.served.len(),
        101,
        "the run that was due, and 100 more"
    );
    assert_eq!(world.alarm, Some(at(START + HOUR + 1_000)));
}

#[test]
fn a_failed_run_is_tried_again_until_the_plan_comes_to_its_next_time() {
    let mut world = World::new();
    world.start(Plan::every(Duration::from_secs(10)).unwrap());
    let mut tries = Vec::new();
    for _ in 0..6 {
        let alarm = world.fire(at(i64::MAX)).unwrap();
        tries.push(world.now.as_millis() - START);
        world.run(&alarm, Duration::ZERO, Outcome::Failed("no".to_owned()));
    }
    assert_eq!(tries, [10_000, 12_000, 16_000, 20_000, 22_000, 26_000]);
    let retries: Vec<u32> = world.task.history().map(|run| run.retry_count).collect();
    assert_eq!(retries, [2, 1, 0, 2, 1, 0]);
}

#[test]
fn a_run_that_keeps_failing_is_given_up_after_six_retries() {
    for policy in [OnMissed::Skip, OnMissed::CatchUp] {
        let mut world = World::new();
        world.start(Plan::cron("0 * * * *").unwrap().on_missed(policy));
        for _ in 0..=MAX_RETRIES {
            let alarm = world.fire(at(i64::MAX)).unwrap();
            world.run(&alarm, Duration::ZERO, Outcome::Failed("no".to_owned()));
        }
        assert_eq!(world.alarm, Some(at(START + 2 * HOUR)), "{policy:?}");
        assert!(
            world
                .task
                .history()
                .all(|run| run.scheduled == Some(at(START + HOUR)))
        );
    }
}

#[test]
fn a_run_that_died_counts_as_a_try() {
    let mut world = World::new();
    world.start(Plan::every(Duration::from_secs(3600)).unwrap());
    for _ in 0..2 {
        let alarm = world.fire(at(i64::MAX)).unwrap();
        world.die(&alarm);
    }
    let alarm = world.fire(at(i64::MAX)).unwrap();
    world.run(&alarm, Duration::ZERO, Outcome::Completed);
    let run = world.task.history().next().unwrap();
    assert_eq!((run.number, run.retry_count), (1, 2));
    assert_eq!(run.scheduled, Some(at(START + HOUR)));
}

#[test]
fn a_run_that_was_overtaken_by_a_new_plan_or_by_a_stop_has_no_successor_of_its_own() {
    let mut world = World::new();
    world.start(Plan::every(Duration::from_secs(1)).unwrap());
    let alarm = world.fire(at(i64::MAX)).unwrap();
    let attempt = world.task.begin(&alarm, world.now).unwrap();
    world.start(Plan::every(Duration::from_secs(60)).unwrap());
    let next = world.task.finish(attempt, Outcome::Completed, world.now);
    assert_eq!(next, world.alarm, "the new plan's first run");

    let alarm = world.fire(at(i64::MAX)).unwrap();
    let attempt = world.task.begin(&alarm, world.now).unwrap();
    world.stop();
    assert_eq!(
        world.task.finish(attempt, Outcome::Completed, world.now),
        None
    );
    assert_eq!(world.task.status().runs, 2, "both have run");
    assert!(world.task.begin(&alarm, world.now).is_none());
}

#[test]
fn a_run_of_an_earlier_plan_settles_nothing_even_for_the_same_time() {
    let mut world = World::new();
    let hourly = Plan::cron("0 * * * *").unwrap();
    world.start(hourly.clone());
    let alarm = world.fire(at(i64::MAX)).unwrap();
    let attempt = world.task.begin(&alarm, world.now).unwrap();
    world.now = at(START);
    world.start(hourly);
    let next = world.task.finish(attempt, Outcome::Completed, world.now);
    assert_eq!(next, Some(at(START + HOUR)));
}

#[test]
fn a_full_history_is_a_few_kilobytes() {
    let size = |task: &Task| rmp_serde::to_vec_named(task).unwrap().len();
    let mut task = Task::default();
    for _ in 0..HISTORY {
        task.ran_by_hand(at(START), Outcome::Completed, at(START));
    }
    assert!(size(&task) < 4_000, "{} bytes", size(&task));
    for _ in 0..HISTORY {
        let outcome = Outcome::Failed("no".repeat(MAX_MESSAGE));
        task.ran_by_hand(at(START), outcome, at(START));
    }
    assert!(size(&task) < 13_000, "{} bytes", size(&task));
}

#[test]
fn dates_that_have_been_are_not_repeated_unless_the_clock_was_wrong() {
    let nightly = Plan::cron("0 4 * * *").unwrap();
    let four = START + 4 * HOUR;
    for back in [1, 50, HOUR, 3 * HOUR] {
        assert_eq!(
            nightly.next_after(at(four), at(four - back)),
            Some(at(four + 24 * HOUR))
        );
    }
    assert_eq!(
        nightly.next_after(at(four), at(four - 3 * HOUR - 1)),
        Some(at(four))
    );

    // A task whose date is far ahead, because it was set while the clock was wrong, takes the new
    // time.
    let mut world = World::new();
    world.now = at(START + 1_000 * 24 * HOUR);
    world.start(nightly);
    world.now = at(START);
    world.wake();
    assert_eq!(world.alarm, Some(at(four)));
}

#[test]
fn plans_that_make_no_sense_are_refused_with_the_reason() {
    for (json, reason) in [
        (
            r#"{"every_ms": 9}"#,
            "`every_ms` is 9; must be 10 to 31622400000",
        ),
        (
            r#"{"every_ms": 31622400001}"#,
            "`every_ms` is 31622400001; must be",
        ),
        ("{}", "give either `every_ms` or `cron`"),
        (
            r#"{"every_ms": 10, "cron": "* * * * *"}"#,
            "give either `every_ms` or `cron`",
        ),
        (
            r#"{"cron": "61 * * * *"}"#,
            "`cron`: the cron expression `61 * * * *` does not parse",
        ),
        (
            r#"{"cron": "0 0 30 2 *"}"#,
            "`cron`: the expression `0 0 30 2 *` never occurs",
        ),
        (r#"{"cron": "* * * * * *"}"#, "does not parse"),
        (r#"{"every_ms": 10, "at": 1}"#, "unknown field `at`"),
        (
            r#"{"every_ms": 10, "on_missed": "panic"}"#,
            "unknown variant `panic`",
        ),
    ] {
        let error = serde_json::from_str::<Plan>(json).unwrap_err().to_string();
        assert!(error.contains(reason), "{json}: {error}");
    }
    let long = format!("{} * * * *", "1,".repeat(64));
    let error = Plan::cron(&long).unwrap_err();
    assert_eq!(
        error.message(),
        "`cron`: an expression of 136 bytes is over the limit of 128"
    );
}

#[test]
fn the_history_keeps_the_beginning_of_a_long_message() {
    let mut task = Task::default();
    let run = task.ran_by_hand(at(1), Outcome::Failed("ü".repeat(1_000)), at(2));
    assert_eq!(run.outcome, Outcome::Failed("ü".repeat(MAX_MESSAGE / 2)));
}

#[test]
fn a_run_whose_tries_all_died_is_given_up() {
    let mut world = World::new();
    world.start(Plan::every(Duration::from_secs(3600)).unwrap());
    for round in 1..=3_i64 {
        for _ in 0..=MAX_RETRIES {
            let alarm = world.fire(at(i64::MAX)).unwrap();
            world.die(&alarm);
        }
        assert_eq!(world.alarm, None, "the platform has given up");
        world.wake();
        let run = world.task.history().next().unwrap();
        assert_eq!(run.scheduled, Some(at(START + round * HOUR)));
        assert!(matches!(&run.outcome, Outcome::Failed(why) if why.contains("died")));
        assert_eq!(world.alarm, Some(at(START + (round + 1) * HOUR)));
    }
}
