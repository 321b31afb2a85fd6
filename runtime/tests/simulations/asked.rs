//! Objects of which some are written to and others only asked: what was not written to leaves
//! nothing behind.

use std::collections::BTreeSet;
use std::time::Duration;

use anchorhold::prelude::*;
use anchorhold::{FaultKind, Faults, List};
use serde::{Deserialize, Serialize};

use super::clients::{choices, heal};

const NAMES: [&str; 4] = ["a", "b", "c", "d"];
const STEPS: usize = 16;

/// What a turn does.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Act {
    Ask,
    Write,
    WriteAndFail,
    /// The value that a field has already.
    SetTheSame,
}

#[durable_object(migrations = [
    "CREATE TABLE entry (value INTEGER); INSERT INTO entry VALUES (1)",
    "CREATE INDEX by_value ON entry (value)",
])]
struct Asked {
    #[stored(default = 7)]
    field: i64,
    map: StoredMap<u8, i64>,
}

#[durable_object]
impl Asked {
    #[rpc]
    fn act(&mut self, ctx: &Ctx, act: Act) -> Result<(), Error> {
        let storage = ctx.storage();
        match act {
            Act::Ask => {
                let rows: Vec<i64> = storage.sql().query("SELECT value FROM entry", ())?;
                let keys: Vec<(String, i64)> = storage.list(&List::all().prefix("key"))?;
                let entries = self.map.entries(None, 10)?;
                if rows.is_empty() || keys.len() != entries.len() {
                    let seen = format!("{rows:?} {keys:?} {entries:?}");
                    return Err(Error::new(500, "other_state", seen));
                }
            }
            Act::Write | Act::WriteAndFail => {
                storage.put("key", &1)?;
                self.map.insert(&1, &1)?;
                self.field += 1;
                storage
                    .sql()
                    .execute("INSERT INTO entry VALUES (?)", (self.field,))?;
                if matches!(act, Act::WriteAndFail) {
                    return Err(Error::conflict("as_told", "as told"));
                }
            }
            Act::SetTheSame => self.field = std::hint::black_box(self.field),
        }
        Ok(())
    }

    #[alarm(every = "1h")]
    fn tick(&self) {}
}

async fn run(sim: &Sim) {
    let mut choices = choices(sim, 0);
    let (mut written, mut maybe) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..STEPS {
        let number = choices.usize(0..NAMES.len());
        let object = sim.objects::<Asked>().named(NAMES[number]);
        let act = match choices.u8(0..7) {
            // The last of the names is never written to.
            0 if number + 1 < NAMES.len() => Act::Write,
            1 => Act::WriteAndFail,
            2 => Act::SetTheSame,
            _ => Act::Ask,
        };
        let ended = object.act(act).await;
        let id = object.id().unwrap().to_string();
        match (act, &ended) {
            (Act::Write, Ok(())) => drop(written.insert(id)),
            (Act::Write, Err(_)) => drop(maybe.insert(id)),
            (Act::WriteAndFail, Err(_)) | (_, Ok(())) => {}
            (_, Err(CallError::Application(error))) => assert_ne!(error.code(), "other_state"),
            (_, Err(_)) => {}
        }
        match choices.u8(0..6) {
            0 => sim.evict(&object).await,
            1 => sim.crash().await,
            2 => sim.power_failure().await,
            3 => {
                sim.advance(Duration::from_secs(choices.u64(0..4_000)))
                    .await
            }
            _ => {}
        }
    }
    heal(sim).await;
    for id in sim.all::<Asked>() {
        let id = id.to_string();
        assert!(
            written.contains(&id) || maybe.contains(&id),
            "{id} was only asked, and is stored"
        );
        written.remove(&id);
    }
    assert!(
        written.is_empty(),
        "{written:?} were written to, and are not stored"
    );
}

#[anchorhold::test(seed = 1, seeds = 100, faults = Faults::none().one_in(4, FaultKind::Eviction))]
async fn objects_that_were_only_asked_leave_nothing(sim: Sim) {
    run(&sim).await;
}

#[anchorhold::test(seed = 1, seeds = 100, faults = Faults::all())]
async fn objects_that_were_only_asked_leave_nothing_under_all_faults(sim: Sim) {
    run(&sim).await;
}
