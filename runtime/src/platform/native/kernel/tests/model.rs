//! Runs the kernel against a host that is a plain model, under many random schedules, with
//! rollbacks, lost commits, crashes and clock changes.

use std::collections::{HashMap, VecDeque};

use super::index::{Change, ModelIndex};
use super::{TestEffect, TestKernel, id, small_limits};
use crate::error::fault::Fault;
use crate::platform::native::kernel::{AlarmOutcome, Effect, Event, Limits, Now, ObjectIndex};

const OBJECTS: u8 = 4;

/// A host made of plain data: a disk, an index, and actions to be carried out.
struct Model {
    kernel: TestKernel,
    random: u64,
    now: Now,
    waiting: Vec<TestEffect>,
    objects: HashMap<ObjectIndex, ModelObject>,
    /// The contents of the disk, by object.
    disk: [Stored; OBJECTS as usize],
    /// The objects with a commit in flight to the disk.
    syncing: Vec<u8>,
    index: ModelIndex,
    sent: u32,
    fired: usize,
    /// How many alarms were set. At most as many runs may have a cause.
    set: usize,
    failures: usize,
    /// Whether nothing fails any more, because the test ends.
    calm: bool,
}

/// The alarm in one object's database.
#[derive(Clone, Copy, Default)]
struct Stored {
    committed: Option<i64>,
    durable: Option<i64>,
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
    /// The alarm in the open transaction, if the transaction changed it.
    open_alarm: Option<Option<i64>>,
    touched: bool,
    running: usize,
    resident: bool,
}

impl Model {
    fn new(seed: u64) -> Self {
        Self {
            kernel: Self::kernel(),
            random: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
            now: super::at(0),
            waiting: Vec::new(),
            objects: HashMap::new(),
            disk: [Stored::default(); OBJECTS as usize],
            syncing: Vec::new(),
            index: ModelIndex::default(),
            sent: 0,
            fired: 0,
            set: 0,
            failures: 0,
            calm: false,
        }
    }

    fn kernel() -> TestKernel {
        super::new_kernel(Limits {
            mailbox_events: 8,
            resident_objects: 3,
            alarms: 3,
            // Some commits take longer.
            commit_ms: 30,
            alarm_starts: 2,
            ..small_limits()
        })
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

    fn set_alarm(&mut self, object: ObjectIndex, at: Option<i64>) {
        let state = self.state(object);
        state.open_alarm = Some(at);
        state.touched = true;
        state.written += 1;
        self.set += usize::from(at.is_some());
        self.handle(Event::Wrote { object });
    }

    fn handle(&mut self, event: Event<u32, u32>) {
        let mut effects = Vec::new();
        self.kernel.handle(event, self.now, &mut effects);
        for effect in effects {
            self.carry_out(effect);
        }
        self.check_alarms();
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
                assert!(
                    self.state(object).outputs.is_empty(),
                    "an object is closed while what it sent waits for the disk"
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

    /// Handles refused work. Work other than zero is the alarm of the object of that number, plus
    /// one.
    fn refused(&mut self, work: u32) {
        if work > 0 {
            self.failures += 1;
            let id = id((work - 1) as u8);
            let outcome = AlarmOutcome::Failed { random: 0 };
            self.handle(Event::AlarmFinished { id, outcome });
        }
    }

    /// Commits what is settled, after the index has its alarms.
    fn settle(&mut self, latest: Option<i64>) {
        let mut alarms = Vec::new();
        for object in self.kernel.dirty().to_vec() {
            if self.state(object).touched {
                alarms.push((object, self.alarm_of(object)));
            }
        }
        let earlier = self.kernel.alarms_to_record(&alarms, latest);
        if earlier.is_empty() {
            self.handle(Event::Settled);
            return;
        }
        let entries = earlier
            .into_iter()
            .map(|(object, at)| (object, id(self.state(object).number), at));
        let record = Change::Record(entries.collect());
        self.index.send(record);
    }

    fn change_index(&mut self) {
        let Some(change) = self.index.next_change() else {
            return;
        };
        let is_record = matches!(change, Change::Record(_));
        let fails = is_record && !self.calm && self.below(20) == 0;
        if !fails {
            self.index.make(&change);
        }
        if let Change::Record(entries) = change {
            for (object, _, at) in entries {
                let is_expected = self.kernel.alarm_recorded(object, at, !fails);
                if is_expected && fails {
                    self.failures += 1;
                    self.roll_back(object);
                    let fault = Fault::Panicked;
                    self.handle(Event::CommitFailed { object, fault });
                }
            }
            self.settle(Some(self.now.wall));
        }
    }

    fn commit(&mut self, objects: Vec<ObjectIndex>) {
        for &object in &objects {
            if std::mem::take(&mut self.state(object).touched) {
                let alarm = self.alarm_of(object);
                assert!(self.kernel.alarm_committing(object, alarm));
            }
        }
        for &object in &objects {
            let state = self.state(object);
            state.committed = state.written;
            let number = usize::from(state.number);
            if let Some(alarm) = state.open_alarm.take() {
                self.disk[number].committed = alarm;
            }
            self.syncing.push(number as u8);
        }
        self.waiting.push(Effect::Commit { objects });
    }

    /// Checks that after a crash at any point, the index wakes an object at or before its own
    /// alarm.
    fn check_alarms(&self) {
        for (number, stored) in self.disk.iter().enumerate() {
            for at in [stored.committed, stored.durable].into_iter().flatten() {
                let indexed = self.index.find(id(number as u8));
                assert!(
                    indexed.is_some_and(|indexed| indexed <= at),
                    "object {number}: {indexed:?} is after {at}"
                );
            }
        }
    }

    fn load_alarms(&mut self) {
        let until = self.now.wall + 100;
        self.handle(Event::AlarmsLoading { until });
        let alarms = self.index.all();
        self.handle(Event::AlarmsLoaded { alarms, last: true });
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
                self.finish(object, bytes);
            }
            Effect::Start {
                object,
                work: 0,
                bytes,
            } => self.turn(object, bytes),
            Effect::Start { object, .. } => self.alarm(object),
            Effect::Commit { objects } => self.synced(objects),
            Effect::RequestCommit => self.settle(None),
            Effect::Close { object } => {
                self.roll_back(object);
                self.handle(Event::Closed { object });
            }
            Effect::FireAlarm { id } => {
                let object = self.object(id.0[0]);
                self.handle(Event::Arrived {
                    object,
                    work: u32::from(id.0[0]) + 1,
                    bytes: 0,
                });
            }
            other => panic!("{other:?} takes place at once"),
        }
    }

    fn wake(&mut self, object: ObjectIndex) {
        let number = self.state(object).number;
        let alarm = self.disk[usize::from(number)].committed;
        let indexed = self.index.find(id(number));
        let is_readable = self.calm || self.below(10) > 0;
        let covers = |at: &i64| is_readable && indexed.is_some_and(|indexed| indexed <= *at);
        let indexed = alarm.filter(covers);
        if !self.calm && self.below(10) == 0 {
            self.failures += 1;
            let fault = Fault::Panicked;
            self.handle(Event::WakeFailed { object, fault });
        } else {
            // Data read from a log was made durable before.
            let stored = &mut self.disk[usize::from(number)];
            stored.durable = stored.committed;
            let state = self.state(object);
            state.written = state.committed;
            state.durable = state.committed;
            state.resident = true;
            self.handle(Event::Woken {
                object,
                alarm,
                indexed,
            });
        }
    }

    /// Completes a sync. Sometimes the disk fails, and then holds either state.
    fn synced(&mut self, objects: Vec<ObjectIndex>) {
        let mut failed = Vec::new();
        self.syncing.clear();
        for object in objects {
            let fails = !self.calm && self.below(20) == 0;
            let Some(state) = self.objects.get_mut(&object) else {
                continue;
            };
            let stored = &mut self.disk[usize::from(state.number)];
            if fails {
                self.failures += 1;
                failed.push((object, Fault::Panicked));
            } else {
                state.durable = state.committed;
                stored.durable = stored.committed;
            }
        }
        self.handle(Event::Synced { failed });
    }

    fn roll_back(&mut self, object: ObjectIndex) {
        let state = self.state(object);
        state.open_alarm = None;
        state.written = state.committed;
    }

    fn reset(&mut self, object: ObjectIndex) {
        self.failures += 1;
        self.roll_back(object);
        self.handle(Event::Reset {
            object,
            fault: Fault::Panicked,
            discard: true,
        });
    }

    fn alarm(&mut self, object: ObjectIndex) {
        let id = id(self.state(object).number);
        let outcome = match self.alarm_of(object) {
            Some(at) if at <= self.now.wall => {
                self.fired += 1;
                match self.below(if self.calm { 3 } else { 6 }) {
                    // The handler sets another alarm.
                    0 if !self.calm => {
                        let at = self.now.wall + 1 + self.below(50) as i64;
                        self.set_alarm(object, Some(at));
                        AlarmOutcome::Done
                    }
                    0..3 => {
                        self.set_alarm(object, None);
                        AlarmOutcome::Done
                    }
                    3 => {
                        self.failures += 1;
                        AlarmOutcome::Failed { random: 0 }
                    }
                    4 => {
                        // It fails after setting its alarm, which is rolled back.
                        self.set_alarm(object, None);
                        let outcome = AlarmOutcome::Failed { random: 0 };
                        self.handle(Event::AlarmFinished { id, outcome });
                        self.finish(object, 0);
                        self.reset(object);
                        return;
                    }
                    _ => {
                        // It succeeds, but its writes are lost with another turn's.
                        self.set_alarm(object, None);
                        let outcome = AlarmOutcome::Done;
                        self.handle(Event::AlarmFinished { id, outcome });
                        self.finish(object, 0);
                        self.reset(object);
                        return;
                    }
                }
            }
            actual => AlarmOutcome::Stale { actual },
        };
        self.handle(Event::AlarmFinished { id, outcome });
        self.finish(object, 0);
    }

    fn finish(&mut self, object: ObjectIndex, bytes: usize) {
        self.state(object).running -= 1;
        self.handle(Event::Finished { object, bytes });
    }

    fn turn(&mut self, object: ObjectIndex, bytes: usize) {
        if self.below(2) == 0 {
            self.state(object).written += 1;
            self.handle(Event::Wrote { object });
        }
        if !self.calm && self.below(4) == 0 {
            let at = (self.below(3) > 0).then(|| self.now.wall + 1 + (self.random % 150) as i64);
            self.set_alarm(object, at);
        }
        for _ in 0..self.below(3) {
            self.sent += 1;
            let output = self.sent;
            let state = self.state(object);
            state.outputs.push_back((output, state.written));
            self.handle(Event::Emitted { object, output });
        }
        if !self.calm && self.below(12) == 0 {
            self.reset(object);
        }
        self.finish(object, bytes);
    }

    /// Loses everything except the disk.
    fn crash(&mut self) {
        self.failures += 1;
        self.kernel = Self::kernel();
        self.waiting.clear();
        self.syncing.clear();
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
            0..10 => {
                let number = self.below(u64::from(OBJECTS)) as u8;
                let object = self.object(number);
                let bytes = self.below(9) as usize;
                self.handle(Event::Arrived {
                    object,
                    work: 0,
                    bytes,
                });
            }
            10..20 => {
                let passed = self.below(5) as i64;
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
