//! Decides a shard's order of events by the seed, and records it.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::Instant;

use super::super::executor::work::Work;
use super::super::kernel::{Limits, Now, ObjectIndex};
use super::super::random::SplitMix;
use super::disk_state::DiskState;
use super::faults::{FaultKind, Faults};
use super::limits;
use super::panics::message_of;
use super::pipe::{Link, Links};
use super::trace::Trace;
use super::under_way::UnderWay;
use crate::object::id::RawId;
use crate::turn::user_code;

/// How many steps a test may take without time passing.
const MAX_STEPS_AT_ONCE: u64 = 100_000;
/// How long the disk is full at most.
const FULL_FOR_MS: u64 = 30_000;
/// How far the clock is from the true time at most.
const CLOCK_ERROR_MS: u64 = 1_800_000;
/// One commit in this many is followed by a long log.
const COMMITS_OF_A_LONG_LOG: usize = 8;
/// How long a cut connection goes unnoticed at most. The host takes as long to detect a silent
/// peer.
const CUT_UNNOTICED_MS: u64 = 120_000;

/// The seeded part of a simulated shard.
pub(in super::super) struct Simulation {
    random: SplitMix,
    ready: RefCell<Vec<Ready>>,
    /// Counts the crashes.
    machine: Cell<Machine>,
    /// Decides how many pieces of work start together.
    bunches: SplitMix,
    crashed: Notify,
    /// A separate generator, so that the order of events is the same with and without a later
    /// fault. It is restarted at each step, so that a fault does not depend on earlier faults.
    dice: SplitMix,
    dice_seed: u64,
    faults: RefCell<Faults>,
    /// The only kinds of fault that can happen. `None` allows all of them.
    only: RefCell<Option<BTreeSet<FaultKind>>>,
    /// Whether the test is in its quiet phase.
    is_healed: Cell<bool>,
    /// Counts the points where a fault may happen.
    steps: Cell<u64>,
    /// The time of the last step, and the number of consecutive steps at that time.
    at_once: Cell<(i64, u64)>,
    /// The steps at which the process can end.
    endings: RefCell<Vec<u64>>,
    /// Whether a power failure loses all that was not synced.
    keeps_nothing: Cell<bool>,
    /// Faults that happen at their step, regardless of the rates.
    script: RefCell<BTreeMap<u64, FaultKind>>,
    injected: RefCell<Vec<Injected>>,
    /// The number of calls and requests to objects so far.
    calls: Cell<u32>,
    /// The arrival times of late calls, by caller and object.
    arrivals: RefCell<BTreeMap<(ObjectIndex, RawId), Instant>>,
    /// How the process ends as soon as the running code has paused.
    ending: Cell<Option<Ending>>,
    /// How far faults have set the clock from the true time, in milliseconds.
    clock_error: Cell<i64>,
    /// Whether the test has deployed an app, and with it a set of classes.
    is_deployed: Cell<bool>,
    /// The class that a bad deployment lacks.
    pub(in super::super) lacks: Cell<Option<&'static str>>,
    /// What the test checks after each turn. Returns the violation, if any.
    after_turn: RefCell<Option<AfterTurn>>,
    violation: RefCell<Option<String>>,
    violated: Notify,
    pub(in super::super) disk: DiskState,
    pub(super) links: Links,
    /// The kernel's limits.
    pub(in super::super) limits: RefCell<Limits>,
    pub(in super::super) under_way: Rc<UnderWay>,
    pub(in super::super) some_ready: Notify,
    pub(in super::super) trace: Trace,
}

/// A fault that was injected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Injected {
    pub(in super::super) step: u64,
    pub(in super::super) kind: FaultKind,
}

type AfterTurn = Rc<dyn Fn() -> Option<String>>;

/// How a run of the simulated host ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Ending {
    Crash,
    PowerFailure,
}

/// One run of the simulated host, from its start to a crash.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Machine(u64);

/// Work of one object that may start, in its order, with its size in bytes.
type Ready = (ObjectIndex, VecDeque<(Work, usize)>);

impl Simulation {
    pub(in super::super) fn new(seed: u64) -> Self {
        let random = SplitMix::new(seed);
        let dice_seed = random.next();
        Self {
            dice: SplitMix::new(dice_seed),
            dice_seed,
            bunches: SplitMix::new(!seed),
            faults: RefCell::default(),
            only: RefCell::default(),
            is_healed: Cell::new(false),
            steps: Cell::new(0),
            at_once: Cell::default(),
            endings: RefCell::default(),
            keeps_nothing: Cell::new(false),
            script: RefCell::default(),
            injected: RefCell::default(),
            calls: Cell::new(0),
            arrivals: RefCell::default(),
            ending: Cell::default(),
            random,
            ready: RefCell::default(),
            machine: Cell::new(Machine(0)),
            crashed: Notify::new(),
            clock_error: Cell::new(0),
            is_deployed: Cell::new(false),
            lacks: Cell::new(None),
            after_turn: RefCell::default(),
            violation: RefCell::default(),
            violated: Notify::new(),
            disk: DiskState::default(),
            links: Links::default(),
            limits: RefCell::default(),
            under_way: Rc::default(),
            some_ready: Notify::new(),
            trace: Trace::default(),
        }
    }

    /// Sets the faults of this run. Small limits apply from now on, or not at all.
    pub(in super::super) fn set_faults(&self, now: Now, faults: Faults) {
        if !faults.are_none() {
            self.is_healed.set(false);
        }
        let faults = faults.for_run(&self.dice);
        let small = faults.rate(FaultKind::SmallLimits);
        let is_small = small.is_some_and(|n| self.dice.next().is_multiple_of(u64::from(n)));
        let limits = if is_small && self.may_inject(FaultKind::SmallLimits) {
            self.inject(now, self.steps.get(), FaultKind::SmallLimits);
            limits::small(&self.dice)
        } else {
            Limits::default()
        };
        self.limits.replace(limits);
        self.faults.replace(faults);
    }

    fn inject(&self, now: Now, step: u64, kind: FaultKind) {
        self.injected.borrow_mut().push(Injected { step, kind });
        self.trace.push(now, format!("!! {kind}"), 0);
    }

    fn may_inject(&self, kind: FaultKind) -> bool {
        let only = self.only.borrow();
        only.as_ref().is_none_or(|only| only.contains(&kind))
    }

    /// Prevents faults of other kinds, regardless of the rates.
    pub(super) fn inject_only(&self, kinds: BTreeSet<FaultKind>) {
        self.only.replace(Some(kinds));
    }

    /// Returns the next number of a call or request to an object, starting at 1.
    pub(in super::super) fn next_call(&self) -> u32 {
        self.calls.set(self.calls.get() + 1);
        self.calls.get()
    }

    pub(in super::super) fn inject_at(&self, step: u64, kind: FaultKind) {
        self.script.borrow_mut().insert(step, kind);
    }

    pub(in super::super) fn steps(&self) -> u64 {
        self.steps.get()
    }

    pub(in super::super) fn endings(&self) -> Vec<u64> {
        self.endings.borrow().clone()
    }

    pub(in super::super) fn keep_nothing_unsynced(&self) {
        self.keeps_nothing.set(true);
    }

    /// Fails a test that retries without letting time pass, which would never end.
    fn look_for_a_loop(&self, now: Now) {
        let (at, steps) = self.at_once.get();
        let steps = if at == now.steady { steps + 1 } else { 0 };
        self.at_once.set((now.steady, steps));
        if steps == MAX_STEPS_AT_ONCE {
            self.fail(format!(
                "{MAX_STEPS_AT_ONCE} steps were taken and no time has passed: pause before trying again, or let time pass with `sim.advance`"
            ));
        }
    }

    /// How many of this many commits a power failure or a failed sync leaves.
    pub(in super::super) fn kept(&self, commits: usize) -> usize {
        if self.keeps_nothing.get() {
            0
        } else {
            self.dice.below(commits + 1)
        }
    }

    pub(in super::super) fn injected(&self) -> Vec<Injected> {
        self.injected.borrow().clone()
    }

    /// A point where one of these faults may happen. Returns the one that does. At each point where
    /// the process may crash, the power may also fail, which is returned as a crash. Either is
    /// carried out when the running code has paused.
    pub(in super::super) fn point(&self, now: Now, possible: &[FaultKind]) -> Option<FaultKind> {
        let step = self.steps.get();
        self.steps.set(step + 1);
        self.throw_dice_anew(step);
        self.look_for_a_loop(now);
        let ends = possible.contains(&FaultKind::Crash);
        if ends && !self.is_healed.get() {
            self.endings.borrow_mut().push(step);
        }
        if self.ending.get().is_some() {
            return None;
        }
        let mut possible = possible
            .iter()
            .copied()
            .chain(ends.then_some(FaultKind::PowerFailure))
            .filter(|kind| *kind != FaultKind::FullDisk || self.disk.may_fill());
        let scripted = self.script.borrow_mut().remove(&step);
        let kind = scripted
            .filter(|scripted| possible.clone().any(|kind| kind == *scripted))
            .or_else(|| {
                let faults = self.faults.borrow();
                let happens = |kind: &FaultKind| {
                    let rate = faults.rate(*kind);
                    rate.is_some_and(|n| self.dice.next().is_multiple_of(u64::from(n)))
                };
                let may_happen = |kind: &FaultKind| self.may_inject(*kind);
                possible.find(happens).filter(may_happen)
            })?;
        self.inject(now, step, kind);
        match kind {
            FaultKind::Crash => self.ending.set(Some(Ending::Crash)),
            FaultKind::PowerFailure => {
                self.ending.set(Some(Ending::PowerFailure));
                return Some(FaultKind::Crash);
            }
            FaultKind::FullDisk => self.disk.fill(Some(self.up_to(FULL_FOR_MS))),
            _ => {}
        }
        Some(kind)
    }

    fn throw_dice_anew(&self, step: u64) {
        self.dice
            .restart(SplitMix::new(self.dice_seed.wrapping_add(step)).next());
    }

    /// A random duration of up to this many milliseconds.
    pub(in super::super) fn up_to(&self, millis: u64) -> Duration {
        Duration::from_millis(self.dice.next() % millis + 1)
    }

    /// Stops injecting faults, and ends those that last.
    pub(in super::super) fn heal(&self) {
        self.faults.replace(Faults::none());
        self.limits.replace(Limits::default());
        self.is_healed.set(true);
        self.disk.free();
        self.disk.restore_syncs();
        self.links.tell();
    }

    /// By how many milliseconds to set the clock, forward or back.
    pub(in super::super) fn clock_step(&self) -> i64 {
        let error = i64::try_from(self.up_to(2 * CLOCK_ERROR_MS).as_millis()).unwrap_or_default()
            - CLOCK_ERROR_MS.cast_signed();
        error - self.clock_error.replace(error)
    }

    /// Records that the test has set the clock. Its time is the true one.
    pub(in super::super) fn clock_is_right(&self) {
        self.clock_error.set(0);
    }

    /// Cuts a connection. Either end notices within a second, or within 2 minutes.
    pub(in super::super) fn cut(&self, link: &Link) {
        let learns = || self.up_to([1_000, CUT_UNNOTICED_MS][self.one_of(2)]);
        link.cut(learns(), learns());
    }

    /// Cuts one of the connections, if there are any.
    pub(in super::super) fn cut_any(&self) {
        let links = self.links.open();
        if !links.is_empty() {
            self.cut(&links[self.one_of(links.len())]);
        }
    }

    /// Cuts all connections after a power failure of the host. No packet tells its peers.
    pub(in super::super) fn cut_all(&self) {
        for link in self.links.open() {
            self.cut(&link);
        }
    }

    /// When a message from one object to another arrives. `None` means at once. Messages sent
    /// before it arrive first (P68).
    pub(in super::super) fn arrival(
        &self,
        pair: (ObjectIndex, RawId),
        now: Instant,
        pause: Option<Duration>,
    ) -> Option<Instant> {
        let mut arrivals = self.arrivals.borrow_mut();
        arrivals.retain(|_, at| *at > now);
        let wanted = pause.map(|pause| now + pause);
        // Timers of the same instant fire in an undefined order.
        let at = wanted.max(arrivals.get(&pair).copied())? + Duration::from_millis(1);
        arrivals.insert(pair, at);
        Some(at)
    }

    /// Chooses one of `count` things.
    pub(in super::super) fn one_of(&self, count: usize) -> usize {
        self.dice.below(count)
    }

    /// Whether the last commit has made the log long.
    pub(in super::super) fn has_long_log(&self) -> bool {
        self.random.below(COMMITS_OF_A_LONG_LOG) == 0
    }

    pub(in super::super) fn ending(&self) -> Option<Ending> {
        self.ending.get()
    }

    /// Queues work that may start. The work of one object keeps its order.
    pub(in super::super) fn ready(&self, object: ObjectIndex, work: Work, bytes: usize) {
        let mut ready = self.ready.borrow_mut();
        match ready.iter_mut().find(|(known, _)| *known == object) {
            Some((_, waiting)) => waiting.push_back((work, bytes)),
            None => ready.push((object, VecDeque::from([(work, bytes)]))),
        }
        self.some_ready.notify_one();
    }

    /// Takes the next piece of work, of an object chosen by the seed.
    fn pick(&self) -> Option<(ObjectIndex, Work, usize)> {
        let mut ready = self.ready.borrow_mut();
        if ready.is_empty() {
            return None;
        }
        let chosen = self.random.below(ready.len());
        let (object, waiting) = &mut ready[chosen];
        let object = *object;
        let picked = waiting
            .pop_front()
            .map(|(work, bytes)| (object, work, bytes));
        if waiting.is_empty() {
            ready.remove(chosen);
        }
        picked
    }

    /// Takes the next pieces of work that start together. On a host, one event may let several
    /// start before the decisions of the first are carried out.
    pub(in super::super) fn pick_some(&self) -> Vec<(ObjectIndex, Work, usize)> {
        let most = 1 << self.bunches.below(3);
        let picked = std::iter::from_fn(|| self.pick());
        picked.take(most).collect()
    }

    pub(in super::super) fn deployed(&self) {
        self.is_deployed.set(true);
    }

    pub(in super::super) fn is_deployed(&self) -> bool {
        self.is_deployed.get()
    }

    /// Sets a check to be called after each turn.
    pub(in super::super) fn after_turns(&self, check: AfterTurn) {
        self.after_turn.replace(Some(check));
    }

    pub(in super::super) fn turn_ended(&self) {
        let check = self.after_turn.borrow().clone();
        let Some(check) = check.filter(|_| self.violation.borrow().is_none()) else {
            return;
        };
        let violation = user_code::call(|| check()).unwrap_or_else(|panic| {
            let message = message_of(&*panic);
            Some(format!("the check of an invariant panicked: {message}"))
        });
        if let Some(violation) = violation {
            self.fail(violation);
        }
    }

    /// Fails the test as soon as it pauses.
    pub(in super::super) fn fail(&self, violation: String) {
        self.violation.borrow_mut().get_or_insert(violation);
        self.violated.notify_one();
    }

    /// The violation found after a turn.
    pub(in super::super) fn violation(&self) -> Option<String> {
        self.violation.borrow().clone()
    }

    /// Waits until an invariant is violated.
    pub(in super::super) async fn violated(&self) -> String {
        loop {
            if let Some(violation) = self.violation() {
                return violation;
            }
            self.violated.notified().await;
        }
    }

    pub(in super::super) fn machine(&self) -> Machine {
        self.machine.get()
    }

    pub(in super::super) fn is_running(&self, machine: Machine) -> bool {
        self.machine.get() == machine
    }

    /// Waits until this machine has ended.
    pub(in super::super) async fn ended(&self, machine: Machine) {
        while self.is_running(machine) {
            self.crashed.notified().await;
        }
    }

    /// Returns all ready work, which a crash loses.
    pub(in super::super) fn crash(&self) -> Vec<Work> {
        self.ending.set(None);
        self.arrivals.borrow_mut().clear();
        self.machine.set(Machine(self.machine.get().0 + 1));
        self.crashed.notify_waiters();
        let ready = std::mem::take(&mut *self.ready.borrow_mut());
        ready
            .into_iter()
            .flat_map(|(_, waiting)| waiting)
            .map(|(work, _)| work)
            .collect()
    }

    /// Lets other tasks take a few steps, as many as the seed decides.
    pub(in super::super) async fn delay(&self) {
        for _ in 0..=self.random.below(4) {
            yield_now().await;
        }
    }
}
