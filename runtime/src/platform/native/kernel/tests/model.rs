//! Runs the kernel against a host that is a plain model, under many random schedules, with
//! rollbacks, lost commits, crashes and clock changes.

mod checks;
mod disk;
mod work;

use std::collections::{HashMap, VecDeque};

use super::index::{Change, ModelIndex};
use super::{TestEffect, TestKernel, id, small_limits};
use crate::object::id::RawId;
use crate::platform::native::kernel::{AlarmOutcome, Effect, Event, Limits, Now, ObjectIndex};
use disk::Stored;

const OBJECTS: u8 = 4;
/// Work below this number is the alarm of the object of that number, plus one.
const FIRST_WORK: u32 = 100;

fn alarm_work(number: u8) -> u32 {
    u32::from(number) + 1
}

/// A host made of plain data: a disk, an index, and actions to be carried out.
struct Model {
    kernel: TestKernel,
    limits: Limits,
    random: u64,
    now: Now,
    waiting: Vec<TestEffect>,
    objects: HashMap<ObjectIndex, ModelObject>,
    /// The contents of the disk, by object.
    disk: [Stored; OBJECTS as usize],
    /// The objects with a commit in flight to the disk.
    syncing: Vec<u8>,
    index: ModelIndex,
    arrivals: u32,
    /// The events that were accepted and are not over, with their bytes.
    accepted: HashMap<u32, (ObjectIndex, usize)>,
    /// The runs of alarms that are under way, and when they began by the steady clock.
    runs: HashMap<RawId, i64>,
    sent: u32,
    fired: usize,
    /// How many alarms were set. At most as many runs may have a cause.
    set: usize,
    failures: usize,
    /// Whether nothing fails any more, because the test ends.
    calm: bool,
}

#[derive(Default)]
struct ModelObject {
    number: u8,
    /// The number of writes that are made, committed and durable. Outputs record how many writes
    /// precede them.
    written: u32,
    committed: u32,
    durable: u32,
    outputs: VecDeque<(u32, u32)>,
    /// The first write of the open transaction and of the one in flight, by the steady clock.
    open_since: Option<i64>,
    committing_since: Option<i64>,
    /// The alarm in the open transaction, if the transaction changed it.
    open_alarm: Option<Option<i64>>,
    touched: bool,
    running: usize,
    resident: bool,
    /// When the last event began or ended, by the steady clock.
    last_active: i64,
}

impl ModelObject {
    fn unsynced_since(&self) -> Option<i64> {
        self.committing_since.or(self.open_since)
    }
}

impl Model {
    fn new(seed: u64) -> Self {
        let limits = Limits {
            mailbox_events: 8,
            resident_objects: 3,
            alarms: 3,
            // Some commits take longer.
            commit_ms: 30,
            alarm_starts: 2,
            alarm_runs: 3,
            ..small_limits()
        };
        Self {
            kernel: super::new_kernel(limits.clone()),
            limits,
            random: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
            now: super::at(0),
            waiting: Vec::new(),
            objects: HashMap::new(),
            disk: [Stored::default(); OBJECTS as usize],
            syncing: Vec::new(),
            index: ModelIndex::default(),
            arrivals: 0,
            accepted: HashMap::new(),
            runs: HashMap::new(),
            sent: 0,
            fired: 0,
            set: 0,
            failures: 0,
            calm: false,
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
                let known = ModelObject {
                    number,
                    last_active: self.now.steady,
                    ..ModelObject::default()
                };
                self.objects.insert(object, known);
                object
            }
        }
    }

    fn state(&mut self, object: ObjectIndex) -> &mut ModelObject {
        self.objects.get_mut(&object).expect("known")
    }

    /// Returns the alarm as the object sees it.
    fn alarm_of(&mut self, object: ObjectIndex) -> Option<i64> {
        let state = self.state(object);
        let (open, number) = (state.open_alarm, usize::from(state.number));
        open.unwrap_or(self.disk[number].committed)
    }

    fn handle(&mut self, event: Event<u32, u32>) {
        if let Event::AlarmFinished { id, .. } = &event {
            self.runs.remove(id);
        }
        let is_tick = matches!(event, Event::Tick);
        if is_tick {
            self.lose_overdue();
        }
        let mut effects = Vec::new();
        self.kernel.handle(event, self.now, &mut effects);
        if is_tick {
            self.check_evictions(&effects);
        }
        for effect in effects {
            self.carry_out(effect);
        }
        self.check_alarms();
        self.check_writes();
    }

    /// Carries out immediate effects. The others wait until the schedule picks them.
    fn carry_out(&mut self, effect: TestEffect) {
        match effect {
            Effect::Release { object, output } => {
                let state = self.state(object);
                let (expected, writes_before) = state.outputs.pop_front().expect("was sent");
                assert_eq!(output, expected, "outputs keep their order");
                assert!(
                    state.durable >= writes_before,
                    "an output overtook its writes"
                );
            }
            Effect::Fail { output, .. } => {
                let sender = self
                    .objects
                    .values_mut()
                    .find(|state| state.outputs.iter().any(|(sent, _)| *sent == output));
                let outputs = &mut sender.expect("was sent").outputs;
                outputs.retain(|(sent, _)| *sent != output);
            }
            Effect::Refuse { work, .. } => self.refused(work),
            Effect::FireAlarm { id } => {
                self.fires(id);
                self.waiting.push(Effect::FireAlarm { id });
            }
            Effect::Start {
                object,
                work,
                bytes,
            } => {
                self.state(object).running += 1;
                self.waiting.push(Effect::Start {
                    object,
                    work,
                    bytes,
                });
            }
            Effect::Commit { objects } => self.commit(objects),
            Effect::UpdateIndex { alarms } => {
                for (id, at) in alarms {
                    self.index.send(Change::Follow(id, at));
                }
            }
            Effect::PauseInIndex { alarms } => {
                for paused in alarms {
                    self.index.send(Change::Pause(paused));
                }
            }
            Effect::Forget { object } => {
                let state = self.objects.remove(&object).expect("known");
                assert_eq!(state.running, 0);
                assert!(state.outputs.is_empty());
            }
            Effect::Leave { object, .. } => self.state(object).resident = false,
            Effect::LoadAlarms => self.load_alarms(),
            Effect::Close { object } => {
                let state = self.state(object);
                assert!(
                    state.outputs.is_empty() && state.unsynced_since().is_none(),
                    "an object is closed while what it wrote or sent waits for the disk"
                );
                self.waiting.push(Effect::Close { object });
            }
            Effect::Wake { object } => {
                let number = self.state(object).number;
                assert!(
                    !self.syncing.contains(&number),
                    "an object is opened while a commit of its last life is on its way to the disk"
                );
                self.waiting.push(Effect::Wake { object });
            }
            later => self.waiting.push(later),
        }
    }

    fn refused(&mut self, work: u32) {
        self.accepted.remove(&work);
        if work < FIRST_WORK {
            self.failures += 1;
            let id = id((work - 1) as u8);
            let outcome = AlarmOutcome::Failed { random: 0 };
            self.handle(Event::AlarmFinished { id, outcome });
        }
    }

    fn run_waiting(&mut self, position: usize) {
        match self.waiting.remove(position) {
            Effect::Wake { object } => self.wake(object),
            Effect::Start {
                object,
                work,
                bytes,
            } if !self.state(object).resident => {
                // It left between the decision and its execution.
                self.refused(work);
                self.finish(object, work, bytes);
            }
            Effect::Start { object, work, .. } if work < FIRST_WORK => self.alarm(object),
            Effect::Start {
                object,
                work,
                bytes,
            } => self.turn(object, work, bytes),
            Effect::Commit { objects } => self.synced(objects),
            Effect::RequestCommit => self.settle(None),
            Effect::Close { object } => {
                self.roll_back(object);
                self.handle(Event::Closed { object });
            }
            Effect::FireAlarm { id } => {
                let object = self.object(id.0[0]);
                self.deliver(object, alarm_work(id.0[0]), 0);
            }
            other => panic!("{other:?} takes place at once"),
        }
    }

    /// Loses everything except the disk.
    fn crash(&mut self) {
        self.failures += 1;
        self.kernel = super::new_kernel(self.limits.clone());
        self.waiting.clear();
        self.syncing.clear();
        self.accepted.clear();
        self.runs.clear();
        self.index.crash();
        self.objects.clear();
        for number in 0..self.disk.len() {
            // Power is lost or not: what was not durable may be kept.
            if self.below(2) == 0 {
                self.disk[number].committed = self.disk[number].durable;
            } else {
                self.disk[number].durable = self.disk[number].committed;
            }
        }
        self.load_alarms();
    }

    fn random_step(&mut self) {
        match self.below(40) {
            0..10 => self.arrive(),
            10..20 => {
                let most = if self.below(100) == 0 { 2_000 } else { 5 };
                let passed = self.below(most) as i64;
                self.now.steady += passed;
                self.now.wall += passed;
                self.handle(Event::Tick);
            }
            20 => {
                self.now.wall += self.below(200) as i64 - 100;
                self.load_alarms();
            }
            21 if self.below(4) == 0 => self.crash(),
            22..26 => self.change_index(),
            26 => {
                let number = self.below(u64::from(OBJECTS)) as u8;
                if let Some(object) = self.kernel.find(id(number)) {
                    self.handle(Event::EvictionRequested { object });
                }
            }
            _ if !self.waiting.is_empty() => {
                let position = self.below(self.waiting.len() as u64) as usize;
                self.run_waiting(position);
            }
            _ => {}
        }
    }

    /// Runs to the end without failures or new alarms.
    fn run_to_the_end(&mut self) {
        self.calm = true;
        for step in 0..20_000 {
            if self.index.is_behind() {
                self.change_index();
            } else if !self.waiting.is_empty() {
                self.run_waiting(0);
            } else if let Some(due) = self.kernel.next_due(|| self.now) {
                let passed = (due - self.now.steady).max(0);
                self.now.steady += passed;
                self.now.wall += passed;
                self.handle(Event::Tick);
            } else if self.index.is_empty() {
                return;
            } else {
                // Beyond the horizon.
                assert!(
                    step < 19_000,
                    "alarms are left in the index: {:?}",
                    self.index.all()
                );
                self.now.steady += 60;
                self.now.wall += 60;
                self.load_alarms();
            }
        }
        panic!("the kernel never came to rest");
    }
}

#[test]
fn under_any_schedule_outputs_wait_for_their_writes_and_no_alarm_is_lost() {
    let mut fired = 0;
    for seed in 1..=500 {
        let mut model = Model::new(seed);
        model.load_alarms();
        for _ in 0..600 {
            model.random_step();
        }
        model.run_to_the_end();
        assert!(model.kernel.is_quiet(model.now));
        assert!(
            model.objects.is_empty(),
            "seed {seed}: {} objects are left",
            model.objects.len()
        );
        for stored in model.disk {
            assert_eq!(stored.committed, None, "seed {seed}: an alarm never fired");
        }
        assert!(
            model.fired <= model.set + model.failures,
            "seed {seed}: {} runs of {} alarms, {} failures",
            model.fired,
            model.set,
            model.failures
        );
        fired += model.fired;
    }
    assert!(fired > 2_000, "the schedules fire alarms: {fired}");
}
