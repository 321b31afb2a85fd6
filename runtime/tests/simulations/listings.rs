//! Listings of collections inside of the turns that change them: with any limit, they show what a
//! map in memory would, and nothing of what the disk has refused.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Debug;

use anchorhold::prelude::*;
use anchorhold::{FaultKind, Faults, List};
use serde::{Deserialize, Serialize};

use super::clients::choices;

const KEYS: u8 = 8;
const TURNS: usize = 12;
const BOUND: u64 = 6;

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Step {
    Insert(u8, u32),
    Remove(u8),
    Push(u32),
    Put(u8, u32),
    Delete(u8),
    /// From this key on, so many.
    List(u8, usize),
}

#[durable_object]
struct Shelf {
    map: StoredMap<u8, u32>,
    log: StoredLog<u32, BOUND>,
}

/// All that the object has, as it is before a step of the turn.
#[derive(Default)]
struct Model {
    map: BTreeMap<u8, u32>,
    log: Vec<(u64, u32)>,
    keys: BTreeMap<String, u32>,
}

fn key(number: u8) -> String {
    format!("key{number}")
}

thread_local! {
    /// What a turn was shown and should not have been. The turn itself may fail for another reason.
    static VIOLATION: RefCell<Option<String>> = const { RefCell::new(None) };
}

fn assert_same<T: Debug + PartialEq>(what: &str, shown: &T, expected: &T) {
    if shown != expected {
        let violation = format!("{what} shows {shown:?} instead of {expected:?}");
        VIOLATION.with_borrow_mut(|first| {
            first.get_or_insert(violation);
        });
    }
}

#[durable_object]
impl Shelf {
    #[rpc]
    fn change(&mut self, ctx: &Ctx, steps: Vec<Step>) -> Result<(), Error> {
        let keys = ctx.storage().list(&List::all().prefix("key"))?;
        let mut model = Model {
            map: self.map.entries(None, 1_000)?.into_iter().collect(),
            log: self.log.newest(0..u64::MAX, 1_000)?,
            keys: keys.into_iter().collect(),
        };
        for step in steps {
            match self.take(ctx, step, &mut model) {
                // A write that the disk refused. It has changed nothing, and the turn goes on.
                Err(_) if !matches!(step, Step::List(..)) => {}
                taken => taken?,
            }
        }
        Ok(())
    }

    fn take(&mut self, ctx: &Ctx, step: Step, model: &mut Model) -> Result<(), Error> {
        let storage = ctx.storage();
        match step {
            Step::Insert(key, value) => {
                let before = self.map.insert(&key, &value)?;
                assert_same("insert", &before, &model.map.insert(key, value));
            }
            Step::Remove(key) => {
                let before = self.map.remove(&key)?;
                assert_same("remove", &before, &model.map.remove(&key));
            }
            Step::Push(value) => {
                let index = self.log.push(&value)?;
                model.log.push((index, value));
                let too_many = model.log.len().saturating_sub(BOUND as usize);
                model.log.drain(..too_many);
            }
            Step::Put(number, value) => {
                storage.put(&key(number), &value)?;
                model.keys.insert(key(number), value);
            }
            Step::Delete(number) => {
                let existed = storage.delete(&key(number))?;
                let removed = model.keys.remove(&key(number)).is_some();
                assert_same("delete", &existed, &removed);
            }
            Step::List(start, limit) => {
                let entries = model.map.range(start..).take(limit);
                let expected: Vec<(u8, u32)> = entries.map(|(key, value)| (*key, *value)).collect();
                assert_same("map", &self.map.entries(Some(&start), limit)?, &expected);

                let newest = model.log.len().saturating_sub(limit);
                let expected = model.log[newest..].to_vec();
                assert_same("log", &self.log.newest(0..u64::MAX, limit)?, &expected);

                let entries = model.keys.range(key(start)..).take(limit);
                let expected: Vec<(String, u32)> =
                    entries.map(|(key, value)| (key.clone(), *value)).collect();
                let list = List::all().prefix("key").start(key(start)).limit(limit);
                assert_same("storage", &storage.list(&list)?, &expected);
            }
        }
        Ok(())
    }
}

async fn run(sim: &Sim) {
    let mut choices = choices(sim, 0);
    let shelf = sim.objects::<Shelf>().named("a");
    for _ in 0..TURNS {
        let steps: Vec<Step> = (0..choices.usize(1..12))
            .map(|_| {
                let (key, value) = (choices.u8(0..KEYS), choices.u32(0..1_000));
                match choices.u8(0..10) {
                    0 | 1 => Step::Insert(key, value),
                    2 | 3 => Step::Remove(key),
                    4 => Step::Push(value),
                    5 => Step::Put(key, value),
                    6 => Step::Delete(key),
                    _ => Step::List(key, choices.usize(1..5)),
                }
            })
            .collect();
        // It succeeds, or what disturbs it is reported.
        let _ = shelf.change(steps.clone()).await;
        let violation = VIOLATION.with_borrow_mut(Option::take);
        assert_eq!(violation, None, "{steps:?}");
    }
}

#[anchorhold::test(seed = 1, seeds = 100)]
async fn listing_shows_what_its_turn_has_changed(sim: Sim) {
    run(&sim).await;
}

#[anchorhold::test(seed = 1, seeds = 100, faults = Faults::all())]
async fn listing_shows_what_its_turn_has_changed_under_all_faults(sim: Sim) {
    run(&sim).await;
}

#[anchorhold::test(seed = 1, seeds = 100, faults = Faults::none().one_in(8, FaultKind::FullDisk))]
async fn listing_shows_what_its_turn_has_changed_on_a_full_disk(sim: Sim) {
    run(&sim).await;
}
