//! Objects of every kind in the simulator. Tests the semantics of the platform end to end.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::prelude::*;
use crate::{FaultKind, Faults, Message, Sim};

/// Uses each feature once.
#[durable_object]
pub struct Probe {
    value: i64,
    alarms: Vec<i64>,
    closes: Vec<(u16, bool)>,
    #[memory]
    reads: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Session {
    user: String,
}

#[durable_object]
impl Probe {
    #[rpc]
    #[post("/add")]
    fn add(&mut self, by: i64) -> i64 {
        self.value += by;
        self.value
    }

    #[rpc]
    #[get("/")]
    fn value(&self) -> i64 {
        self.value
    }

    #[rpc]
    fn count_reads(&mut self) -> u64 {
        self.reads += 1;
        self.reads
    }

    #[rpc]
    fn add_and_fail(&mut self, by: i64) -> Result<(), Error> {
        self.value += by;
        Err(Error::conflict("no", "refused on purpose"))
    }

    #[rpc]
    fn add_and_panic(&mut self, ctx: &Ctx, by: i64) -> Result<(), Error> {
        self.value += by;
        ctx.storage().put("issued", &true)?;
        panic!("on purpose");
    }

    #[rpc]
    fn put_and_abort(&mut self, ctx: &Ctx) -> Result<(), Error> {
        ctx.storage().put("aborted", &true)?;
        ctx.abort("on purpose");
    }

    #[rpc]
    fn has(&self, ctx: &Ctx, key: &str) -> Result<bool, Error> {
        Ok(ctx.storage().get::<bool>(key)?.unwrap_or(false))
    }

    #[rpc]
    async fn add_slowly(&mut self, ctx: &Ctx, by: i64) -> i64 {
        let before = self.value;
        ctx.sleep(Duration::from_secs(1)).await;
        self.value = before + by;
        self.value
    }

    #[rpc]
    async fn add_to(&mut self, ctx: &Ctx, other: &str, by: i64) -> Result<i64, Error> {
        self.value += 1;
        Ok(ctx.objects::<Self>().named(other).add(by).await?)
    }

    #[rpc]
    fn remind(&mut self, ctx: &Ctx, key: &str, after_ms: u64) -> Result<(), Error> {
        Self::schedules(ctx)
            .ring(key.to_owned())
            .key(key)
            .after(Duration::from_millis(after_ms))?;
        Ok(())
    }

    #[alarm]
    fn ring(&mut self, ctx: &Ctx, _key: String) {
        self.alarms.push(ctx.now().as_millis());
    }

    #[rpc]
    fn rung(&self) -> Vec<i64> {
        self.alarms.clone()
    }

    #[websocket("/ws")]
    fn connect(&self, ctx: &Ctx, user: String) -> Result<Accept<Session>, Error> {
        ctx.sockets::<Session>()
            .set_automatic_response(Some(("ping", "pong")))?;
        if user.is_empty() {
            return Err(Error::bad_request("user", "`user` is empty"));
        }
        Ok(Accept::new(Session { user }).greet("hello"))
    }

    #[message(text)]
    fn said(&mut self, ctx: &Ctx, socket: &Socket<Session>, text: String) -> Result<(), Error> {
        self.value += 1;
        let session = socket.session()?;
        ctx.sockets::<Session>()
            .broadcast(&format!("{}: {text}", session.user))?;
        Ok(())
    }

    #[close]
    fn left(&mut self, _socket: &Socket<Session>, event: crate::CloseEvent) {
        self.closes.push((event.code, event.clean));
    }

    #[rpc]
    fn closes(&self) -> Vec<(u16, bool)> {
        self.closes.clone()
    }
}

#[anchorhold::test]
async fn durable_fields_survive_eviction_and_crash_and_memory_does_not(sim: Sim) {
    let probe = sim.objects::<Probe>().named("a");
    assert_eq!(probe.add(2).await.unwrap(), 2);
    assert_eq!(probe.count_reads().await.unwrap(), 1);
    assert_eq!(probe.count_reads().await.unwrap(), 2);
    sim.evict(&probe).await;
    assert_eq!(probe.count_reads().await.unwrap(), 1);
    sim.crash().await;
    assert_eq!(probe.count_reads().await.unwrap(), 1);
    assert_eq!(probe.value().await.unwrap(), 2);
}

#[anchorhold::test]
async fn an_idle_object_leaves_memory_by_itself(sim: Sim) {
    let probe = sim.objects::<Probe>().named("a");
    probe.count_reads().await.unwrap();
    sim.advance(Duration::from_secs(9)).await;
    assert_eq!(probe.count_reads().await.unwrap(), 2);
    sim.advance(Duration::from_secs(11)).await;
    assert_eq!(probe.count_reads().await.unwrap(), 1);
}

#[anchorhold::test]
async fn what_is_not_acknowledged_may_be_lost_and_what_is_may_not(sim: Sim) {
    let probe = sim.objects::<Probe>().named("a");
    let unanswered = probe.add(1);
    sim.crash().await;
    assert!(matches!(unanswered.await, Err(CallError::Disconnected(_))));
    let value = probe.value().await.unwrap();
    assert!(value == 0 || value == 1);
    assert_eq!(probe.add(1).await.unwrap(), value + 1);
    sim.crash().await;
    assert_eq!(probe.value().await.unwrap(), value + 1);
}

#[anchorhold::test]
async fn failed_turns_are_taken_back(sim: Sim) {
    let probe = sim.objects::<Probe>().named("a");
    probe.add(1).await.unwrap();
    assert!(matches!(
        probe.add_and_fail(10).await,
        Err(CallError::Application(_))
    ));
    assert_eq!(probe.value().await.unwrap(), 1);
    assert!(matches!(
        probe.add_and_panic(100).await,
        Err(CallError::Reset(_))
    ));
    assert_eq!(probe.value().await.unwrap(), 1);
    // What the failed turn wrote is also discarded, as after an abort (P18).
    assert!(!probe.has("issued").await.unwrap());
    assert!(matches!(
        probe.put_and_abort().await,
        Err(CallError::Reset(_))
    ));
    assert!(!probe.has("aborted").await.unwrap());
    assert_eq!(probe.value().await.unwrap(), 1);
}

#[anchorhold::test]
async fn exclusive_turns_do_not_interleave(sim: Sim) {
    let probe = sim.objects::<Probe>().named("a");
    let started = sim.now();
    let (first, second) = (probe.add_slowly(1), probe.add_slowly(10));
    let third = probe.add(100);
    assert_eq!(first.await.unwrap(), 1);
    assert_eq!(second.await.unwrap(), 11);
    assert_eq!(third.await.unwrap(), 111);
    assert_eq!(sim.now() - started, Duration::from_secs(2));
}

#[anchorhold::test]
async fn calls_between_objects_and_cycles(sim: Sim) {
    let probe = sim.objects::<Probe>().named("a");
    assert_eq!(probe.add_to("b", 5).await.unwrap(), 5);
    assert_eq!(probe.value().await.unwrap(), 1);
    let cycle = probe.add_to("a", 5).await.unwrap_err();
    assert!(cycle.to_string().contains("cycle"), "{cycle}");
}

#[anchorhold::test]
async fn alarms_fire_in_time_and_order_and_survive(sim: Sim) {
    let probe = sim.objects::<Probe>().named("a");
    let start = sim.now().as_millis();
    probe.remind("late", 60_000).await.unwrap();
    probe.remind("early", 5_000).await.unwrap();
    sim.crash().await;
    sim.advance(Duration::from_millis(4_999)).await;
    assert!(probe.rung().await.unwrap().is_empty());
    sim.advance(Duration::from_millis(1)).await;
    assert_eq!(probe.rung().await.unwrap(), [start + 5_000]);
    sim.evict(&probe).await;
    sim.advance(Duration::from_secs(300)).await;
    assert_eq!(probe.rung().await.unwrap(), [start + 5_000, start + 60_000]);
}

#[anchorhold::test]
async fn an_alarm_that_was_overdue_at_a_crash_fires_after_it(sim: Sim) {
    let probe = sim.objects::<Probe>().named("a");
    probe.remind("hour", 3_600_000).await.unwrap();
    sim.advance(Duration::from_secs(1_800)).await;
    sim.crash().await;
    sim.advance(Duration::from_secs(1_801)).await;
    assert_eq!(probe.rung().await.unwrap().len(), 1);
}

#[anchorhold::test]
async fn sockets_greet_talk_hibernate_and_close(sim: Sim) {
    let probe = sim.objects::<Probe>().named("a");
    assert_eq!(
        sim.connect(&probe, "/ws?user=")
            .await
            .err()
            .unwrap()
            .status(),
        400
    );
    let mut ann = sim.connect(&probe, "/ws?user=ann").await.unwrap();
    let mut bob = sim.connect(&probe, "/ws?user=bob").await.unwrap();
    assert_eq!(ann.receive_json::<String>().await, "hello");
    assert_eq!(bob.receive_json::<String>().await, "hello");
    sim.evict(&probe).await;
    ann.send_text("ping");
    assert_eq!(ann.receive().await, Some(Message::Text("pong".to_owned())));
    bob.send_text("hi");
    assert_eq!(ann.receive_json::<String>().await, "bob: hi");
    assert_eq!(bob.receive_json::<String>().await, "bob: hi");
    bob.close(4_000, "bye");
    sim.advance(Duration::from_secs(1)).await;
    assert_eq!(probe.closes().await.unwrap(), [(4_000, true)]);
    drop(probe.add_and_panic(1).await);
    assert_eq!(ann.receive().await, None);
    assert_eq!(ann.closed().map(|event| event.code), Some(1_006));
}

#[anchorhold::test]
async fn requests_reach_objects_through_the_app(sim: Sim) {
    sim.app(App::new().mount::<Probe>("/probes/{name}"));
    let request = Request::new("POST", "/probes/a/add")
        .with_json(&serde_json::json!({ "by": 3 }))
        .unwrap();
    let response = sim.fetch(request).await;
    assert_eq!(
        (response.status(), response.read_json::<i64>().unwrap()),
        (200, 3)
    );
    assert_eq!(
        sim.fetch(Request::new("GET", "/nowhere")).await.status(),
        404
    );
}

#[test]
fn the_same_seed_gives_the_same_trace_and_another_does_not() {
    let run = |seed| {
        let trace = RefCell::default();
        super::run_test(Some(seed), "determinism", async |sim: Sim| {
            let objects = sim.objects::<Probe>();
            let names = ["a", "b", "c", "d"];
            for round in 0..5 {
                let calls = names.map(|name| objects.named(name).add(round));
                let reminder = objects.named("a").remind("x", 500);
                for call in calls {
                    call.await.unwrap();
                }
                reminder.await.unwrap();
                sim.advance(Duration::from_millis(700)).await;
            }
            trace.replace(sim.trace());
        });
        trace.into_inner()
    };
    let first = run(1);
    assert_eq!(first, run(1));
    assert!((2..10).any(|seed| run(seed) != first), "{first:#?}");
}

#[test]
#[should_panic(expected = "waited 24 hours of virtual time")]
fn a_test_that_waits_for_nothing_says_so() {
    super::run_test(Some(1), "hang", |_| std::future::pending::<()>());
}

#[test]
fn many_seeds_lose_nothing_acknowledged() {
    for seed in 0..100 {
        super::run_test(Some(seed), "crashes", |sim: Sim| async move {
            let probe = sim.objects::<Probe>().named("a");
            let mut acknowledged = 0;
            for round in 0..20_u64 {
                let answer = probe.add(1);
                if (seed + round) % 3 == 0 {
                    sim.crash().await;
                }
                if let Ok(value) = answer.await {
                    assert!(
                        value > acknowledged,
                        "seed {seed}: {value} after {acknowledged}"
                    );
                    acknowledged = value;
                }
            }
            assert!(probe.value().await.unwrap() >= acknowledged);
        });
    }
}

#[test]
#[should_panic(expected = "something in the test or its objects does not come from the simulator")]
fn two_runs_of_a_seed_that_differ_are_a_failure() {
    let runs = Cell::new(0);
    let twice = super::Runs {
        seed: Some(1),
        seeds: Some(1),
        ..super::Runs::default()
    };
    super::run_test(twice, "differs", async |sim: Sim| {
        runs.set(runs.get() + 1);
        let probe = sim.objects::<Probe>().named("a");
        for _ in 0..runs.get() {
            probe.add(1).await.unwrap();
        }
    });
}

#[anchorhold::test]
async fn faults_happen_until_the_host_is_healed(sim: Sim) {
    let probe = sim.objects::<Probe>().named("a");
    for (kind, n) in [
        (FaultKind::LostReply, 1),
        (FaultKind::Panic, 1),
        (FaultKind::FailedCommit, 1),
        (FaultKind::Crash, 1),
    ] {
        sim.set_faults(Faults::none().one_in(n, kind));
        assert!(probe.add(1).await.is_err(), "{kind}");
        sim.heal().await;
        probe.add(1).await.unwrap();
    }
    // The reply was lost, the write was not.
    assert_eq!(probe.value().await.unwrap(), 5);
    let struck = |line: &&String| line.contains("!!");
    assert!(sim.trace().iter().filter(struck).count() >= 4);
}
