//! A shard in the simulator, with faults of the host and its disk.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::unbounded_channel;
use tokio::time::Instant;

use super::super::clock::Clock;
use super::super::kernel::Limits;
use super::super::network::outgoing::Outgoing;
use super::super::random::{Random, SplitMix};
use super::super::seam::carried::Carried;
use super::super::seam::incoming::Incoming;
use super::super::sim::{MemoryDisk, Sim};
use super::super::store::Change;
use super::disk::Disk;
use super::work::{Delivery, Inbound, ReplyTo, Task};
use super::{Effect, Event, Parts, Shard};
use crate::error::fault::Fault;
use crate::object::id::RawId;
use crate::prelude::*;
use crate::turn::chain::CallChain;

/// A counter that also counts the runs of its alarm.
#[durable_object]
struct Subject {
    value: i64,
    rung: u32,
}

#[durable_object]
impl Subject {
    #[rpc]
    fn add(&mut self, by: i64) -> i64 {
        self.value += by;
        self.value
    }

    #[rpc]
    fn rung(&self) -> u32 {
        self.rung
    }

    #[rpc]
    fn ring_after(&self, ctx: &Ctx, millis: u64) -> Result<(), StorageError> {
        Self::schedules(ctx)
            .ring()
            .after(Duration::from_millis(millis))
    }

    #[alarm]
    fn ring(&mut self) {
        self.rung += 1;
    }
}

const MINUTE: Duration = Duration::from_secs(60);

fn hang(sim: &Sim, hangs: bool) {
    let simulation = sim.shard().simulation().expect("simulated");
    if hangs {
        simulation.disk.hang_syncs();
    } else {
        simulation.disk.restore_syncs();
    }
}

#[anchorhold::test]
async fn alarm_of_a_class_that_the_app_lacks_is_kept_and_fires_when_it_is_back(sim: Sim) {
    let subject = sim.objects::<Subject>().named("a");
    subject.ring_after(5_000).await.unwrap();
    sim.shard().classes.borrow_mut().clear();
    sim.crash().await;
    sim.advance(10 * MINUTE).await;
    assert_eq!(sim.shard().told_of.borrow().missing_classes, ["Subject"]);
    let subject = sim.objects::<Subject>().named("a");
    sim.advance(MINUTE).await;
    assert_eq!(subject.rung().await.unwrap(), 1);
}

#[anchorhold::test]
async fn class_that_goes_while_its_alarm_is_in_memory_costs_a_pause(sim: Sim) {
    let subject = sim.objects::<Subject>().named("a");
    subject.ring_after(30_000).await.unwrap();
    sim.crash().await;
    sim.shard().classes.borrow_mut().clear();
    sim.advance(MINUTE).await;
    let subject = sim.objects::<Subject>().named("a");
    sim.advance(2 * MINUTE).await;
    assert_eq!(subject.rung().await.unwrap(), 1);
}

#[anchorhold::test]
async fn alarms_survive_an_index_that_cannot_be_read(sim: Sim) {
    let subject = sim.objects::<Subject>().named("a");
    subject.ring_after(30_000).await.unwrap();
    sim.crash().await;
    sim.shard().disk.index().break_down(true);
    sim.advance(5 * MINUTE).await;
    sim.shard().disk.index().break_down(false);
    sim.advance(2 * MINUTE).await;
    assert_eq!(subject.rung().await.unwrap(), 1);
}

#[anchorhold::test]
async fn alarm_that_the_index_lost_is_put_back_at_the_next_wake(sim: Sim) {
    let subject = sim.objects::<Subject>().named("a");
    subject.ring_after(600_000).await.unwrap();
    let id = subject.core().remote.as_ref().expect("a native stub").id();
    sim.shard().disk.write_index(vec![Change::Follow(id, None)]);
    sim.crash().await;
    // A wake for another reason.
    assert_eq!(subject.rung().await.unwrap(), 0);
    let entry = sim
        .shard()
        .disk
        .index()
        .find(id)
        .unwrap()
        .expect("put back");
    assert_eq!(entry.name.as_deref(), Some("a"));
    sim.crash().await;
    sim.advance(15 * MINUTE).await;
    assert_eq!(subject.rung().await.unwrap(), 1);
}

/// As an old backup of the index would lose them.
#[anchorhold::test(seed = 1, seeds = 50)]
async fn random_losses_of_the_index_are_repaired_when_objects_wake(sim: Sim) {
    let dice = SplitMix::new(sim.seed());
    let objects = sim.objects::<Subject>();
    let subjects: Vec<_> = (0..4).map(|it| objects.named(&it.to_string())).collect();
    for _ in 0..16 {
        let subject = &subjects[dice.below(subjects.len())];
        let id = subject.core().remote.as_ref().expect("a native stub").id();
        match dice.below(4) {
            0 => drop(subject.add(1).await),
            1 => sim.shard().disk.write_index(vec![Change::Follow(id, None)]),
            _ => subject.ring_after(dice.next() % 1_000_000).await.unwrap(),
        }
        if dice.below(4) == 0 {
            sim.crash().await;
        }
        sim.advance(Duration::from_millis(dice.next() % 100_000))
            .await;
    }
    sim.crash().await;
    for subject in &subjects {
        subject.rung().await.unwrap();
    }
    sim.advance(Duration::from_secs(1)).await;
    assert_eq!(sim.shard().lost_alarms(), [""; 0]);
}

#[anchorhold::test]
async fn alarms_beyond_the_horizon_stay_on_disk(sim: Sim) {
    let objects = sim.objects::<Subject>();
    for number in 0..50 {
        let subject = objects.named(&number.to_string());
        subject.ring_after(3_600_000).await.unwrap();
    }
    let due = sim.shard().kernel.borrow().next_due(|| sim.shard().now());
    let hour = sim.shard().now().steady + 3_600_000;
    assert!(due.is_none_or(|due| due < hour - 60_000), "{due:?}");
    sim.advance(61 * MINUTE).await;
    for number in 0..50 {
        let subject = objects.named(&number.to_string());
        assert_eq!(subject.rung().await.unwrap(), 1);
    }
}

#[anchorhold::test]
async fn disk_that_hangs_fails_all_writes_in_time_and_recovers(sim: Sim) {
    let objects = sim.objects::<Subject>();
    let subjects: Vec<_> = (0..10)
        .map(|number| objects.named(&number.to_string()))
        .collect();
    for subject in &subjects {
        subject.add(1).await.unwrap();
    }
    hang(&sim, true);
    let began = sim.now();
    let mut writes = Vec::new();
    for subject in &subjects {
        writes.push(subject.add(10));
        // Each waits behind the batch that is already in flight.
        sim.advance(Duration::from_secs(1)).await;
    }
    for write in writes {
        let error = write.await.unwrap_err();
        assert!(error.to_string().contains("30 s"), "{error}");
    }
    let took = sim.now() - began;
    assert!(took <= Duration::from_secs(41), "{took:?}");
    // An event that arrives now cannot be started. Its caller is told.
    let late = subjects[0].add(100).await.unwrap_err();
    assert!(late.to_string().contains("30 s"), "{late}");
    hang(&sim, false);
    for subject in &subjects {
        let value = subject.add(0).await.unwrap();
        assert!([1, 11].contains(&value), "{value}");
        assert_eq!(subject.add(1).await.unwrap(), value + 1);
    }
}

#[anchorhold::test]
async fn index_that_hangs_holds_up_only_writes_and_fails_them_in_time(sim: Sim) {
    let objects = sim.objects::<Subject>();
    let (subject, other) = (objects.named("a"), objects.named("other"));
    subject.add(1).await.unwrap();
    other.add(1).await.unwrap();
    hang(&sim, true);
    let began = sim.now();
    let planned = subject.ring_after(600_000);
    sim.advance(Duration::from_secs(1)).await;
    assert!(!sim.trace().last().unwrap().contains("commit"));
    assert_eq!(other.rung().await.unwrap(), 0);
    let error = planned.await.unwrap_err();
    assert!(error.to_string().contains("30 s"), "{error}");
    assert!(sim.now() - began <= Duration::from_secs(31));
    hang(&sim, false);
    assert_eq!(other.add(1).await.unwrap(), 2);
    assert_eq!(subject.add(1).await.unwrap(), 2);
    // The index is early, so nothing runs that was not committed.
    sim.advance(15 * MINUTE).await;
    assert_eq!(subject.rung().await.unwrap(), 0);
}

#[anchorhold::test]
async fn alarm_moved_nearer_while_it_is_recorded_fires_on_time_after_a_crash(sim: Sim) {
    let subject = sim.objects::<Subject>().named("a");
    subject.add(1).await.unwrap();
    hang(&sim, true);
    let planned = [600_000, 300_000].map(|millis| subject.ring_after(millis));
    sim.advance(Duration::from_secs(1)).await;
    let nearer = subject.ring_after(5_000);
    sim.advance(Duration::from_secs(1)).await;
    hang(&sim, false);
    for planned in planned {
        planned.await.unwrap();
    }
    nearer.await.unwrap();
    sim.crash().await;
    sim.advance(Duration::from_secs(5)).await;
    assert_eq!(subject.rung().await.unwrap(), 1);
}

#[anchorhold::test]
async fn alarm_that_the_index_does_not_take_fails_its_commit_and_no_other(sim: Sim) {
    let objects = sim.objects::<Subject>();
    let (subject, other) = (objects.named("a"), objects.named("other"));
    subject.add(1).await.unwrap();
    sim.shard().disk.index().break_down(true);
    let (planned, added) = (subject.ring_after(5_000), other.add(1));
    let error = planned.await.unwrap_err();
    assert!(matches!(error, CallError::Storage(_)), "{error:?}");
    assert_eq!(added.await.unwrap(), 1);
    sim.shard().disk.index().break_down(false);
    assert_eq!(subject.add(1).await.unwrap(), 2);
    subject.ring_after(5_000).await.unwrap();
    sim.advance(MINUTE).await;
    assert_eq!(subject.rung().await.unwrap(), 1);
}

#[anchorhold::test]
async fn panic_of_the_host_costs_one_object_a_reset(sim: Sim) {
    let objects = sim.objects::<Subject>();
    let (subject, other) = (objects.named("a"), objects.named("other"));
    subject.add(1).await.unwrap();
    subject.ring_after(60_000).await.unwrap();
    let over: [super::PanicOver; 6] = [
        |effect| matches!(effect, Effect::Commit { .. }),
        |effect| matches!(effect, Effect::Release { .. }),
        |effect| matches!(effect, Effect::Wake { .. }),
        |effect| matches!(effect, Effect::Start { .. }),
        |effect| matches!(effect, Effect::Close { .. }),
        |effect| matches!(effect, Effect::Leave { .. }),
    ];
    for over in over {
        let before = subject.add(0).await.unwrap();
        sim.evict(&subject).await;
        sim.shard().panic_over.set(Some(over));
        let added = subject.add(1).await;
        sim.evict(&subject).await;
        assert!(sim.shard().panic_over.take().is_none(), "it never happened");
        let now = subject.add(0).await.unwrap();
        match added {
            Ok(value) => assert_eq!((value, now), (before + 1, before + 1)),
            // It may have been committed before its answer was lost.
            Err(_) => assert!((before..=before + 1).contains(&now), "{now}"),
        }
        assert!(other.add(1).await.is_ok());
    }
    sim.shard()
        .panic_over
        .set(Some(|effect| matches!(effect, Effect::FireAlarm { .. })));
    sim.advance(2 * MINUTE).await;
    assert_eq!(subject.rung().await.unwrap(), 1);
}

#[anchorhold::test]
async fn task_of_the_host_that_panics_is_started_anew(sim: Sim) {
    let runs = Rc::new(Cell::new(0));
    let counted = Rc::clone(&runs);
    sim.shard().keep_running("test", move |_| {
        counted.set(counted.get() + 1);
        let run = counted.get();
        async move { assert!(run == 3, "on purpose") }
    });
    sim.advance(Duration::from_secs(5)).await;
    assert_eq!(runs.get(), 3);
}

#[anchorhold::test]
async fn late_answers_of_the_disk_do_not_reach_the_machine_after_a_crash(sim: Sim) {
    let subject = sim.objects::<Subject>().named("a");
    subject.add(1).await.unwrap();
    hang(&sim, true);
    let lost = subject.add(10);
    sim.advance(Duration::from_secs(1)).await;
    sim.crash().await;
    assert!(matches!(lost.await, Err(CallError::Disconnected(_))));
    // The answer to the old batch must not be taken for an answer to this one.
    let held = subject.add(100);
    sim.advance(Duration::from_secs(1)).await;
    let released = |line: &&String| line.contains("release answer");
    let before = sim.trace().iter().filter(released).count();
    assert_eq!(before, 1);
    hang(&sim, false);
    assert_eq!(held.await.unwrap(), 111);
    sim.shard().handle(Event::Synced { failed: Vec::new() });
    assert_eq!(subject.add(0).await.unwrap(), 111);
}

#[anchorhold::test]
async fn large_answers_to_other_threads_are_bounded_and_no_others(sim: Sim) {
    const LARGE: usize = 40 << 20;
    let shard = sim.shard();
    let near = ReplyTo::<Vec<u8>>::new(1).0;
    let mut far = ReplyTo::<Vec<u8>>::new(2).0;
    far.crosses = true;
    let first = shard.room_to_cross(&far, LARGE).expect("there is room");
    assert!(shard.room_to_cross(&far, LARGE).is_err());
    assert!(
        shard
            .room_to_cross(&far, 100)
            .is_ok_and(|share| share.is_none())
    );
    assert!(
        shard
            .room_to_cross(&near, LARGE)
            .is_ok_and(|share| share.is_none())
    );
    drop(first);
    // An answer larger than the whole room is allowed if it is alone.
    let alone = shard.room_to_cross(&far, 3 * LARGE).expect("there is room");
    assert!(shard.room_to_cross(&far, LARGE).is_err());
    drop(alone);
    assert!(shard.room_to_cross(&far, LARGE).is_ok());
}

#[anchorhold::test]
async fn answer_without_room_is_a_broken_connection(sim: Sim) {
    const LARGE: usize = 40 << 20;
    let shard = sim.shard();
    let (mut call, result) = ReplyTo::<Vec<u8>>::new(1);
    let (mut fetch, response) = ReplyTo::<Carried>::new(2);
    call.crosses = true;
    fetch.crosses = true;
    let first = shard.room_to_cross(&call, LARGE).expect("there is room");
    shard.answer_call(call, Ok(vec![0; LARGE]));
    let large = Response::bytes(200, "text/plain", vec![0; LARGE]);
    let large = Carried::new(large, |_| Incoming::produced().1);
    shard.answer_request(fetch, Ok(large));
    let result = result.await.unwrap().result;
    assert!(matches!(result, Err(Fault::Disconnected(_))));
    let response = Response::from(response.await.unwrap().result.unwrap());
    assert_eq!(response.status(), 503);
    let body: serde_json::Value = response.read_json().unwrap();
    assert_eq!(body["error"]["code"], "disconnected");
    drop(first);
    // The room is free again when the caller has its answer.
    let (mut call, result) = ReplyTo::<Vec<u8>>::new(3);
    call.crosses = true;
    shard.answer_call(call, Ok(vec![0; LARGE]));
    let (mut next, _) = ReplyTo::<Vec<u8>>::new(4);
    next.crosses = true;
    assert!(shard.room_to_cross(&next, LARGE).is_err());
    assert_eq!(result.await.unwrap().result.unwrap().len(), LARGE);
    assert!(shard.room_to_cross(&next, LARGE).is_ok());
}

#[test]
fn work_for_an_object_of_another_thread_crosses() {
    let (near, mut here) = unbounded_channel();
    let (far, mut there) = unbounded_channel();
    let parts = Parts {
        number: 0,
        inboxes: Arc::from([near, far]),
        disk: Disk::Memory(Box::new(MemoryDisk::new([0; 32]).unwrap())),
        clock: Clock::Virtual {
            start: Instant::now(),
            start_ms: Arc::new(0.into()),
        },
        random: Random::Seeded(SplitMix::new(1)),
        outgoing: Outgoing::simulated(),
        simulation: None,
        limits: Limits::default(),
    };
    let shard = Shard::new(parts, &[]);
    let mut id = [0; 32];
    id[0] = 1;
    shard.deliver(Delivery {
        class: &Subject::__description().class,
        id: RawId(id),
        name: None,
        task: Task::Call {
            method: "rung",
            arguments: Vec::new(),
            chain: CallChain::default(),
            reply: ReplyTo::new(1).0,
        },
    });
    let Ok(Inbound::Delivery(delivery)) = there.try_recv() else {
        panic!("nothing was delivered");
    };
    assert!(matches!(delivery.task, Task::Call { reply, .. } if reply.crosses));
    assert!(here.try_recv().is_err());
}
