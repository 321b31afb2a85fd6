//! Random turns against a model of them: what a turn may leave behind, as `docs/guarantees.md` says.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anchorhold::prelude::*;
use anchorhold::{Faults, List};
use serde::{Deserialize, Serialize};

const MONTH: Duration = Duration::from_secs(30 * 24 * 60 * 60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const MOMENT: Duration = Duration::from_millis(5);
/// Longer than a run of an alarm may take.
const TOO_LONG: Duration = Duration::from_secs(20 * 60);

thread_local! {
    /// The tries of the run that is under way.
    static TRIES: Cell<usize> = const { Cell::new(0) };
}

/// Few keys, so that turns meet each other's traces.
const KEYS: u8 = 3;
const LOG_BOUND: u64 = 4;

/// One thing that a turn does.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Step {
    Field(i64),
    MapEntry(u8, Option<i64>),
    Push(i64),
    Put(u8, Option<i64>),
    Row(i64),
    Schedule(u8, bool),
    /// Those of the steps that write through `ctx`, kept or not.
    Transaction(Vec<Step>, bool),
    DeleteAll,
    /// In an `async` turn.
    Await,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Ending {
    Succeed,
    Fail,
    Abort,
    Panic,
    /// Of a run of an alarm: it waits for longer than it may.
    Outlast,
}

impl Ending {
    fn reach(self, ctx: &Ctx) -> Result<(), Error> {
        match self {
            // A turn that waits for long has waited before.
            Self::Succeed | Self::Outlast => Ok(()),
            Self::Fail => Err(Error::conflict("as_told", "as told")),
            Self::Abort => ctx.abort("as told"),
            Self::Panic => panic!("as told"),
        }
    }
}

/// All that storage holds of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    fields: Fields,
    stored: Stored,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Fields {
    field: i64,
    map: BTreeMap<u8, i64>,
    log: Vec<(u64, i64)>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Stored {
    keys: BTreeMap<String, i64>,
    rows: Vec<i64>,
    scheduled: BTreeSet<u8>,
}

#[durable_object(migrations = ["CREATE TABLE trace (value INTEGER)"])]
struct Subject {
    field: i64,
    map: StoredMap<u8, i64>,
    log: StoredLog<i64, LOG_BOUND>,
}

#[durable_object]
impl Subject {
    #[rpc]
    fn state(&self, ctx: &Ctx) -> Result<State, StorageError> {
        let storage = ctx.storage();
        let mut scheduled = BTreeSet::new();
        for key in 0..KEYS {
            if Self::schedules(ctx).next_ring(&key.to_string())?.is_some() {
                scheduled.insert(key);
            }
        }
        Ok(State {
            fields: Fields {
                field: self.field,
                map: self.map.entries(None, 100)?.into_iter().collect(),
                log: self.log.newest(0..u64::MAX, 100)?,
            },
            stored: Stored {
                keys: storage
                    .list(&List::all().prefix("key"))?
                    .into_iter()
                    .collect(),
                rows: storage
                    .sql()
                    .query("SELECT value FROM trace ORDER BY rowid", ())?,
                scheduled,
            },
        })
    }

    #[rpc]
    fn atomic(&mut self, ctx: &Ctx, steps: Vec<Step>, ending: Ending) -> Result<(), Error> {
        for step in &steps {
            self.take(ctx, step)?;
        }
        ending.reach(ctx)
    }

    #[rpc]
    async fn exclusive(
        &mut self,
        ctx: &Ctx,
        steps: Vec<Step>,
        ending: Ending,
    ) -> Result<(), Error> {
        self.take_all(ctx, &steps, ending).await
    }

    /// Has an alarm take the steps, with an ending for each of its tries.
    #[rpc]
    fn by_alarm(
        &self,
        ctx: &Ctx,
        steps: Vec<Step>,
        endings: Vec<Ending>,
    ) -> Result<(), StorageError> {
        Self::schedules(ctx).perform((steps, endings)).after(MOMENT)
    }

    #[alarm]
    async fn perform(&mut self, ctx: &Ctx, plan: (Vec<Step>, Vec<Ending>)) -> Result<(), Error> {
        let (steps, endings) = plan;
        let ending = endings[TRIES.replace(TRIES.get() + 1)];
        self.take_all(ctx, &steps, ending).await
    }

    async fn take_all(&mut self, ctx: &Ctx, steps: &[Step], ending: Ending) -> Result<(), Error> {
        for step in steps {
            if matches!(step, Step::Await) {
                ctx.sleep(MOMENT).await;
            } else {
                self.take(ctx, step)?;
            }
        }
        if ending == Ending::Outlast {
            ctx.sleep(TOO_LONG).await;
        }
        ending.reach(ctx)
    }

    fn take(&mut self, ctx: &Ctx, step: &Step) -> Result<(), Error> {
        match step {
            Step::Field(value) => self.field = *value,
            Step::MapEntry(key, Some(value)) => {
                self.map.insert(key, value)?;
            }
            Step::MapEntry(key, None) => {
                self.map.remove(key)?;
            }
            Step::Push(value) => {
                self.log.push(value)?;
            }
            Step::DeleteAll => ctx.storage().delete_all()?,
            other => Self::write(ctx, other)?,
        }
        Ok(())
    }

    fn write(ctx: &Ctx, step: &Step) -> Result<(), Error> {
        let storage = ctx.storage();
        match step {
            Step::Put(key, Some(value)) => storage.put(&format!("key{key}"), value)?,
            Step::Put(key, None) => {
                storage.delete(&format!("key{key}"))?;
            }
            Step::Row(value) => {
                storage
                    .sql()
                    .execute("INSERT INTO trace VALUES (?)", (*value,))?;
            }
            Step::Schedule(key, true) => Self::schedules(ctx)
                .ring()
                .key(key.to_string())
                .after(MONTH + HOUR * u32::from(*key))?,
            Step::Schedule(key, false) => {
                Self::schedules(ctx).cancel_ring(&key.to_string())?;
            }
            Step::Transaction(steps, keep) => {
                let ended = storage.transaction(|_| {
                    for step in steps {
                        Self::write(ctx, step)?;
                    }
                    Ending::reach(if *keep { Ending::Succeed } else { Ending::Fail }, ctx)
                });
                assert_eq!(ended.is_ok(), *keep);
            }
            _ => {}
        }
        Ok(())
    }

    #[alarm]
    fn ring(&self) {}
}

impl Fields {
    fn take(&mut self, step: &Step) {
        match step {
            Step::Field(value) => self.field = *value,
            Step::MapEntry(key, Some(value)) => {
                self.map.insert(*key, *value);
            }
            Step::MapEntry(key, None) => {
                self.map.remove(key);
            }
            Step::Push(value) => {
                let index = self.log.last().map_or(1, |(index, _)| index + 1);
                self.log.push((index, *value));
                if self.log.len() as u64 > LOG_BOUND {
                    self.log.remove(0);
                }
            }
            _ => {}
        }
    }
}

impl Stored {
    fn take(&mut self, step: &Step) {
        match step {
            Step::Put(key, Some(value)) => {
                self.keys.insert(format!("key{key}"), *value);
            }
            Step::Put(key, None) => {
                self.keys.remove(&format!("key{key}"));
            }
            Step::Row(value) => self.rows.push(*value),
            Step::Schedule(key, true) => {
                self.scheduled.insert(*key);
            }
            Step::Schedule(key, false) => {
                self.scheduled.remove(key);
            }
            Step::Transaction(steps, true) => steps.iter().for_each(|step| self.take(step)),
            Step::DeleteAll => *self = Self::default(),
            _ => {}
        }
    }
}

/// What a turn leaves behind: by its own end, and wherever something else ends it.
struct Expected {
    own: State,
    cut_off: Vec<State>,
}

impl Expected {
    fn of(before: &State, steps: &[Step], ending: Ending) -> Self {
        let mut committed = before.clone();
        let mut cut_off = vec![before.clone()];
        let mut fields = before.fields.clone();
        let mut stored = before.stored.clone();
        let mut is_wiped = false;
        for step in steps {
            match step {
                Step::Await => {
                    committed.stored = stored.clone();
                    if is_wiped {
                        committed.fields = Fields::default();
                    }
                    cut_off.push(committed.clone());
                }
                step => {
                    is_wiped |= matches!(step, Step::DeleteAll);
                    fields.take(step);
                    stored.take(step);
                }
            }
        }
        if is_wiped {
            fields = Fields::default();
        }
        let own = match ending {
            Ending::Succeed => State { fields, stored },
            Ending::Fail | Ending::Abort | Ending::Panic => committed,
            // An await commits what was written to storage before it.
            Ending::Outlast => State {
                stored,
                ..committed
            },
        };
        cut_off.push(own.clone());
        Self { own, cut_off }
    }
}

/// Numbers by the seed.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % sides
    }

    fn value(&mut self) -> i64 {
        self.throw(100).cast_signed()
    }

    fn key(&mut self) -> u8 {
        (self.throw(u64::from(KEYS)) & 0xff) as u8
    }

    fn write(&mut self) -> Step {
        match self.throw(4) {
            0 => Step::Put(self.key(), Some(self.value())),
            1 => Step::Put(self.key(), None),
            2 => Step::Row(self.value()),
            _ => Step::Schedule(self.key(), self.throw(2) == 0),
        }
    }

    fn steps(&mut self, may_wait: bool) -> Vec<Step> {
        let count = self.throw(6) + 1;
        (0..count)
            .map(|_| match self.throw(12) {
                0 | 1 => Step::Field(self.value()),
                2 => Step::MapEntry(self.key(), Some(self.value())),
                3 => Step::MapEntry(self.key(), None),
                4 | 5 => Step::Push(self.value()),
                6 => Step::DeleteAll,
                7 => Step::Transaction(vec![self.write(), self.write()], self.throw(2) == 0),
                8 | 9 if may_wait => Step::Await,
                _ => self.write(),
            })
            .collect()
    }
}

async fn state_of(sim: &Sim, subject: &SubjectStub) -> State {
    for _ in 0..1_000 {
        if let Ok(state) = subject.state().await {
            return state;
        }
        sim.env().sleep(Duration::from_millis(200)).await;
    }
    panic!("the object does not answer");
}

/// Runs the steps by an alarm whose tries fail up to twice, and checks what they leave.
async fn run_by_alarm(sim: &Sim, dice: &mut Dice, before: State) -> State {
    let subject = sim.objects::<Subject>().named("a");
    let mut steps = dice.steps(true);
    // It would delete the run itself.
    steps.retain(|step| !matches!(step, Step::DeleteAll));
    let failing = [Ending::Fail, Ending::Abort, Ending::Panic, Ending::Outlast];
    let mut endings = vec![Ending::Succeed];
    for _ in 0..dice.throw(3) {
        endings.insert(0, failing[usize::try_from(dice.throw(4)).unwrap()]);
    }
    let expected = endings.iter().fold(before.clone(), |before, ending| {
        Expected::of(&before, &steps, *ending).own
    });
    TRIES.set(0);
    let scheduled = subject.by_alarm(steps.clone(), endings.clone()).await;
    scheduled.expect("nothing fails but the run");
    sim.advance(HOUR).await;
    let after = state_of(sim, &subject).await;
    assert_eq!(
        after, expected,
        "{steps:?} by an alarm with {endings:?}\n before {before:?}"
    );
    after
}

/// `by_alarm` says whether some turns are runs of an alarm.
async fn run(sim: &Sim, turns: usize, by_alarm: bool) {
    let mut dice = Dice(sim.seed());
    let subject = sim.objects::<Subject>().named("a");
    let mut before = State::default();
    for _ in 0..turns {
        if by_alarm && dice.throw(4) == 0 {
            before = run_by_alarm(sim, &mut dice, before).await;
            continue;
        }
        let may_wait = dice.throw(2) == 0;
        let steps = dice.steps(may_wait);
        let ending = match dice.throw(8) {
            0 => Ending::Panic,
            1 => Ending::Abort,
            2 | 3 => Ending::Fail,
            _ => Ending::Succeed,
        };
        let expected = Expected::of(&before, &steps, ending);
        let ended = if may_wait {
            subject.exclusive(steps.clone(), ending).await
        } else {
            subject.atomic(steps.clone(), ending).await
        };
        if dice.throw(4) == 0 {
            sim.crash().await;
        }
        let after = state_of(sim, &subject).await;
        let is_its_own_end = match &ended {
            Ok(()) | Err(CallError::Application(_)) => true,
            Err(_) => false,
        };
        let is_expected = if is_its_own_end {
            after == expected.own
        } else {
            expected.cut_off.contains(&after)
        };
        assert!(
            is_expected,
            "{steps:?} {ending:?} ended with {ended:?}\n before {before:?}\n after  {after:?}\n instead of {:?}",
            expected.own
        );
        before = after;
    }
}

#[anchorhold::test(seed = 1, seeds = 100)]
async fn turns_leave_what_the_guarantees_say(sim: Sim) {
    run(&sim, 20, true).await;
}

#[anchorhold::test(seed = 1, seeds = 300, faults = Faults::all())]
async fn turns_leave_what_the_guarantees_say_under_all_faults(sim: Sim) {
    run(&sim, 12, false).await;
}
