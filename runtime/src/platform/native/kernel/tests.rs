//! The kernel against a host that is a plain model, under many random schedules.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::{AlarmOutcome, Effect, Event, Kernel, Limits, ObjectIndex};
use crate::fault::Fault;
use crate::id::RawId;

type TestKernel = Kernel<u32, u32>;
type TestEffect = Effect<u32, u32>;

fn id(number: u8) -> RawId {
    RawId([number; 32])
}

fn step(kernel: &mut TestKernel, event: Event<u32, u32>, now: i64) -> Vec<TestEffect> {
    let mut effects = Vec::new();
    kernel.handle(event, now, &mut effects);
    effects
}

fn small_limits() -> Limits {
    Limits {
        mailbox_events: 2,
        mailbox_bytes: 100,
        idle_ms: 10,
        resident_objects: 2,
        commit_ms: 1_000,
    }
}

fn woken(kernel: &mut TestKernel, number: u8, now: i64) -> ObjectIndex {
    let object = kernel.add(id(number), now);
    let effects = step(
        kernel,
        Event::Arrived {
            object,
            work: 0,
            bytes: 0,
        },
        now,
    );
    assert!(matches!(effects[..], [Effect::Wake { .. }]), "{effects:?}");
    let effects = step(
        kernel,
        Event::Woken {
            object,
            alarm: None,
        },
        now,
    );
    assert!(
        matches!(effects[0], Effect::Start { work: 0, .. }),
        "{effects:?}"
    );
    step(kernel, Event::Finished { object, bytes: 0 }, now);
    object
}

#[test]
fn a_full_mailbox_refuses_and_says_what_to_do() {
    let mut kernel = TestKernel::new(small_limits());
    let object = kernel.add(id(1), 0);
    step(
        &mut kernel,
        Event::Arrived {
            object,
            work: 1,
            bytes: 60,
        },
        0,
    );
    for (work, bytes) in [(2, 60), (3, 10), (4, 0)] {
        let effects = step(
            &mut kernel,
            Event::Arrived {
                object,
                work,
                bytes,
            },
            0,
        );
        match (work, &effects[..]) {
            (3, []) => {}
            (
                2 | 4,
                [
                    Effect::Refuse {
                        fault: Fault::Overloaded(text),
                        ..
                    },
                ],
            ) => {
                assert!(
                    text.contains("the limits are 2 events and 100 bytes"),
                    "{text}"
                );
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn work_waits_while_the_object_is_blocked() {
    let mut kernel = TestKernel::new(small_limits());
    let object = woken(&mut kernel, 1, 0);
    step(&mut kernel, Event::Blocked { object }, 0);
    assert!(
        step(
            &mut kernel,
            Event::Arrived {
                object,
                work: 1,
                bytes: 0
            },
            0
        )
        .is_empty()
    );
    let effects = step(&mut kernel, Event::Unblocked { object }, 0);
    assert!(
        matches!(effects[..], [Effect::Start { work: 1, .. }]),
        "{effects:?}"
    );
}

#[test]
fn an_idle_object_leaves_and_is_forgotten_and_a_used_one_stays() {
    let mut kernel = TestKernel::new(small_limits());
    let idle = woken(&mut kernel, 1, 0);
    let used = woken(&mut kernel, 2, 0);
    step(
        &mut kernel,
        Event::Arrived {
            object: used,
            work: 1,
            bytes: 0,
        },
        5,
    );
    assert_eq!(kernel.next_due(), Some(10));
    let effects = step(&mut kernel, Event::Tick, 10);
    assert!(
        matches!(effects[..], [Effect::Leave { object, reset: None }, Effect::Close { .. }] if object == idle),
        "{effects:?}"
    );
    let effects = step(&mut kernel, Event::Closed { object: idle }, 10);
    assert!(matches!(effects[..], [Effect::Forget { object }] if object == idle));
    assert_eq!(kernel.find(id(1)), None);
    assert_eq!(kernel.find(id(2)), Some(used));
}

#[test]
fn sockets_keep_an_object_known_but_not_in_memory() {
    let mut kernel = TestKernel::new(small_limits());
    let object = woken(&mut kernel, 1, 0);
    step(&mut kernel, Event::SocketOpened { object }, 0);
    assert_eq!(step(&mut kernel, Event::Tick, 10).len(), 2);
    assert!(step(&mut kernel, Event::Closed { object }, 10).is_empty());
    let effects = step(&mut kernel, Event::SocketClosed { object }, 10);
    assert!(matches!(effects[..], [Effect::Forget { .. }]));
}

#[test]
fn above_the_bound_the_least_recently_used_object_leaves() {
    let mut kernel = TestKernel::new(small_limits());
    let first = woken(&mut kernel, 1, 0);
    woken(&mut kernel, 2, 1);
    let third = kernel.add(id(3), 2);
    step(
        &mut kernel,
        Event::Arrived {
            object: third,
            work: 0,
            bytes: 0,
        },
        2,
    );
    let effects = step(
        &mut kernel,
        Event::Woken {
            object: third,
            alarm: None,
        },
        2,
    );
    assert!(
        matches!(effects[..], [Effect::Start { .. }, Effect::Leave { object, .. }, Effect::Close { .. }] if object == first),
        "{effects:?}"
    );
}

#[test]
fn a_reset_keeps_issued_writes_and_an_abort_drops_them() {
    for discard in [false, true] {
        let mut kernel = TestKernel::new(small_limits());
        let object = woken(&mut kernel, 1, 0);
        step(&mut kernel, Event::Wrote { object }, 0);
        step(&mut kernel, Event::Emitted { object, output: 7 }, 0);
        let fault = Fault::Reset("test".to_owned());
        let effects = step(
            &mut kernel,
            Event::Reset {
                object,
                fault,
                discard,
            },
            0,
        );
        if discard {
            assert!(
                matches!(
                    effects[..],
                    [
                        Effect::Fail { output: 7, .. },
                        Effect::Leave { .. },
                        Effect::Close { .. }
                    ]
                ),
                "{effects:?}"
            );
        } else {
            assert!(
                matches!(effects[..], [Effect::Leave { reset: Some(_), .. }]),
                "{effects:?}"
            );
            step(&mut kernel, Event::Settled, 0);
            let effects = step(&mut kernel, Event::Synced { failed: Vec::new() }, 0);
            assert!(
                matches!(
                    effects[..],
                    [Effect::Release { output: 7, .. }, Effect::Close { .. }]
                ),
                "{effects:?}"
            );
        }
    }
}

#[test]
fn an_overdue_commit_resets_and_a_late_confirmation_is_ignored() {
    let mut kernel = TestKernel::new(small_limits());
    let object = woken(&mut kernel, 1, 0);
    step(&mut kernel, Event::Wrote { object }, 0);
    step(&mut kernel, Event::Emitted { object, output: 7 }, 0);
    step(&mut kernel, Event::Settled, 0);
    let effects = step(&mut kernel, Event::Tick, 1_000);
    assert!(
        matches!(
            effects[..],
            [
                Effect::Fail { output: 7, .. },
                Effect::Leave { .. },
                Effect::Close { .. }
            ]
        ),
        "{effects:?}"
    );
    step(&mut kernel, Event::Closed { object }, 1_001);
    assert!(step(&mut kernel, Event::Synced { failed: Vec::new() }, 1_002).is_empty());
}

/// A host made of plain data: a disk, an index, and actions waiting to be carried out.
struct Model {
    kernel: TestKernel,
    random: u64,
    now: i64,
    waiting: Vec<TestEffect>,
    objects: HashMap<ObjectIndex, ModelObject>,
    index: BTreeMap<RawId, i64>,
    sent: u32,
    fired: usize,
}

#[derive(Default)]
struct ModelObject {
    /// Writes made, committed and durable, by count; outputs note how many writes precede them.
    written: u32,
    committed: u32,
    durable: u32,
    outputs: VecDeque<(u32, u32)>,
    alarm: Option<i64>,
    committed_alarm: Option<i64>,
    durable_alarm: Option<i64>,
    running: usize,
}

const OBJECTS: u8 = 4;

impl Model {
    fn new(seed: u64) -> Self {
        Self {
            kernel: TestKernel::new(Limits {
                mailbox_events: 8,
                resident_objects: 3,
                ..small_limits()
            }),
            random: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
            now: 0,
            waiting: Vec::new(),
            objects: HashMap::new(),
            index: BTreeMap::new(),
            sent: 0,
            fired: 0,
        }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % bound
    }

    fn object(&mut self, number: u8) -> ObjectIndex {
        match self.kernel.find(id(number)) {
            Some(object) => object,
            None => {
                let object = self.kernel.add(id(number), self.now);
                // What is on disk outlives the index the kernel gives it.
                self.objects.entry(object).or_default();
                object
            }
        }
    }

    fn handle(&mut self, event: Event<u32, u32>) {
        let mut effects = Vec::new();
        self.kernel.handle(event, self.now, &mut effects);
        for effect in effects {
            self.carry_out(effect);
        }
        self.check_alarms();
    }

    /// Immediate effects take place; the others wait for the schedule to pick them.
    fn carry_out(&mut self, effect: TestEffect) {
        match effect {
            Effect::Release { object, output } => {
                let state = self.objects.get_mut(&object).expect("known");
                let (expected, writes_before) = state.outputs.pop_front().expect("was sent");
                assert_eq!(output, expected, "outputs keep their order");
                assert!(
                    state.durable >= writes_before,
                    "an output overtook its writes"
                );
            }
            Effect::Fail { output, .. } => {
                let state = self
                    .objects
                    .values_mut()
                    .find(|state| state.outputs.iter().any(|(sent, _)| *sent == output));
                state
                    .expect("was sent")
                    .outputs
                    .retain(|(sent, _)| *sent != output);
            }
            Effect::Refuse { .. } => {}
            Effect::Start {
                object,
                work,
                bytes,
            } => {
                self.objects.get_mut(&object).expect("known").running += 1;
                self.waiting.push(Effect::Start {
                    object,
                    work,
                    bytes,
                });
            }
            Effect::Commit { objects, alarms } => {
                for (object, at) in alarms {
                    let number = self.number_of(object);
                    self.index.insert(id(number), at);
                }
                for object in &objects {
                    let state = self.objects.get_mut(object).expect("known");
                    state.committed = state.written;
                    state.committed_alarm = state.alarm;
                }
                self.waiting.push(Effect::Commit {
                    objects,
                    alarms: Vec::new(),
                });
            }
            Effect::UpdateIndex { alarms } => {
                for (id, at) in alarms {
                    match at {
                        Some(at) => self.index.insert(id, at),
                        None => self.index.remove(&id),
                    };
                }
            }
            Effect::Forget { object } => {
                let state = self.objects.remove(&object).expect("known");
                assert_eq!(state.running, 0);
                assert!(state.outputs.is_empty());
            }
            later => self.waiting.push(later),
        }
    }

    fn number_of(&self, object: ObjectIndex) -> u8 {
        (0..OBJECTS)
            .find(|number| self.kernel.find(id(*number)) == Some(object))
            .expect("known")
    }

    /// Wherever a crash falls, the index wakes an object at or before its own alarm.
    fn check_alarms(&self) {
        for (object, state) in &self.objects {
            if let Some(at) = state.committed_alarm {
                let number = self.number_of(*object);
                let indexed = self.index.get(&id(number));
                assert!(
                    indexed.is_some_and(|indexed| *indexed <= at),
                    "{indexed:?} is after {at}"
                );
            }
        }
    }

    fn run_waiting(&mut self, position: usize) {
        match self.waiting.remove(position) {
            Effect::Wake { object } => {
                let alarm = self.objects[&object].durable_alarm;
                if self.below(10) == 0 {
                    self.handle(Event::WakeFailed {
                        object,
                        fault: Fault::Panicked,
                    });
                } else {
                    self.handle(Event::Woken { object, alarm });
                }
            }
            Effect::Start { object, bytes, .. } => self.turn(object, bytes),
            Effect::Commit { objects, .. } => {
                for object in &objects {
                    if let Some(state) = self.objects.get_mut(object) {
                        state.durable = state.committed;
                        state.durable_alarm = state.committed_alarm;
                    }
                }
                self.handle(Event::Synced { failed: Vec::new() });
            }
            Effect::RequestCommit => self.handle(Event::Settled),
            Effect::Close { object } => self.handle(Event::Closed { object }),
            Effect::FireAlarm { id } => {
                self.fired += 1;
                self.handle(Event::AlarmFinished {
                    id,
                    outcome: AlarmOutcome::Done,
                });
            }
            Effect::Leave { .. } => {}
            other => panic!("{other:?} takes place at once"),
        }
    }

    fn turn(&mut self, object: ObjectIndex, bytes: usize) {
        if self.below(2) == 0 {
            self.objects.get_mut(&object).expect("known").written += 1;
            self.handle(Event::Wrote { object });
        }
        if self.below(4) == 0 {
            let at = (self.below(3) > 0).then(|| self.now + 1 + (self.random % 50) as i64);
            self.objects.get_mut(&object).expect("known").alarm = at;
            self.objects.get_mut(&object).expect("known").written += 1;
            self.handle(Event::AlarmChanged { object, at });
            self.handle(Event::Wrote { object });
        }
        for _ in 0..self.below(3) {
            self.sent += 1;
            let output = self.sent;
            let state = self.objects.get_mut(&object).expect("known");
            state.outputs.push_back((output, state.written));
            self.handle(Event::Emitted { object, output });
        }
        self.objects.get_mut(&object).expect("known").running -= 1;
        self.handle(Event::Finished { object, bytes });
    }

    fn random_step(&mut self) {
        match self.below(4) {
            0 => {
                let number = self.below(u64::from(OBJECTS)) as u8;
                let object = self.object(number);
                let bytes = self.below(9) as usize;
                self.handle(Event::Arrived {
                    object,
                    work: 0,
                    bytes,
                });
            }
            1 => {
                self.now += self.below(5) as i64;
                self.handle(Event::Tick);
            }
            _ if !self.waiting.is_empty() => {
                let position = self.below(self.waiting.len() as u64) as usize;
                self.run_waiting(position);
            }
            _ => {}
        }
    }

    fn run_to_the_end(&mut self) {
        for _ in 0..100_000 {
            if !self.waiting.is_empty() {
                self.run_waiting(0);
            } else if let Some(due) = self.kernel.next_due() {
                self.now = self.now.max(due);
                self.handle(Event::Tick);
            } else {
                return;
            }
        }
        panic!("the kernel never came to rest");
    }
}

#[test]
fn under_any_schedule_outputs_wait_for_their_writes_and_everything_ends() {
    let mut fired = 0;
    for seed in 1..=300 {
        let mut model = Model::new(seed);
        for _ in 0..400 {
            model.random_step();
        }
        model.run_to_the_end();
        assert!(model.kernel.is_quiet());
        assert!(
            model.objects.is_empty(),
            "seed {seed}: {} objects are left",
            model.objects.len()
        );
        fired += model.fired;
    }
    assert!(fired > 1_000, "the schedules fire alarms: {fired}");
}
