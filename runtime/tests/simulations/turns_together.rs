//! Turns of many callers at once, of which some fail: a commit has several turns of one object, and
//! each leaves what its own end says.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::time::Duration;

use anchorhold::prelude::*;
use anchorhold::{Faults, List};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

use super::clients::{choices, heal, quiet_phase};

const CALLERS: u64 = 4;
const TURNS: usize = 6;
const MOMENT: Duration = Duration::from_millis(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Ending {
    Succeed,
    Fail,
    Panic,
    Abort,
}

/// The numbers of the turns that left a trace, place by place.
#[derive(Debug, Serialize, Deserialize)]
struct Traces {
    field: Vec<u32>,
    map: Vec<u32>,
    keys: Vec<u32>,
    runs: Vec<u32>,
}

#[durable_object]
struct Together {
    done: Vec<u32>,
    map: StoredMap<u32, ()>,
    /// Slow turns that began and that ended.
    #[memory]
    slow: (u32, u32),
}

#[durable_object]
impl Together {
    #[rpc]
    fn write(&mut self, ctx: &Ctx, turn: u32, ending: Ending) -> Result<(), Error> {
        ctx.storage().put(&format!("turn{turn}"), &turn)?;
        Self::schedules(ctx)
            .ring(turn)
            .key(turn.to_string())
            .after(Duration::from_secs(20))?;
        self.done.push(turn);
        self.map.insert(&turn, &())?;
        match ending {
            Ending::Succeed => Ok(()),
            Ending::Fail => Err(Error::conflict("as_told", "as told")),
            Ending::Panic => panic!("as told"),
            Ending::Abort => ctx.abort("as told"),
        }
    }

    #[rpc]
    async fn write_slowly(&mut self, ctx: &Ctx, turn: u32, ending: Ending) -> Result<(), Error> {
        self.slow.0 += 1;
        ctx.sleep(MOMENT).await;
        self.slow.1 += 1;
        self.write(ctx, turn, ending)
    }

    /// Whether no slow turn is under way beside this one.
    #[rpc]
    async fn is_undisturbed(&self, ctx: &Ctx) -> bool {
        let before = self.slow;
        ctx.sleep(MOMENT).await;
        before.0 == before.1 && before == self.slow
    }

    #[alarm]
    fn ring(&mut self, ctx: &Ctx, turn: u32) -> Result<(), StorageError> {
        ctx.storage().put(&format!("run{turn}"), &turn)
    }

    #[rpc]
    fn traces(&self, ctx: &Ctx) -> Result<Traces, StorageError> {
        let numbers = |prefix: &str| -> Result<Vec<u32>, StorageError> {
            let entries = ctx.storage().list(&List::all().prefix(prefix))?;
            Ok(entries.into_iter().map(|(_, turn)| turn).collect())
        };
        let map = self.map.entries(None, 1_000)?;
        Ok(Traces {
            field: self.done.clone(),
            map: map.into_iter().map(|(turn, ())| turn).collect(),
            keys: numbers("turn")?,
            runs: numbers("run")?,
        })
    }
}

async fn traces_of(sim: &Sim, object: &TogetherStub) -> Traces {
    for _ in 0..1_000 {
        if let Ok(traces) = object.traces().await {
            return traces;
        }
        sim.advance(Duration::from_secs(1)).await;
    }
    panic!("the object does not answer");
}

async fn run(sim: &Sim) {
    let next = Cell::new(0);
    let succeeded = RefCell::new(BTreeSet::new());
    let failed = RefCell::new(BTreeSet::new());
    let caller = async |number| {
        let mut choices = choices(sim, number);
        let object = sim.objects::<Together>().named("a");
        for _ in 0..TURNS {
            let turn = next.replace(next.get() + 1);
            let ending = match choices.u8(0..8) {
                0 => Ending::Panic,
                1 => Ending::Abort,
                2 | 3 => Ending::Fail,
                _ => Ending::Succeed,
            };
            if choices.u8(0..4) == 0 {
                // A turn that ends its object ends this call.
                let undisturbed = object.is_undisturbed().await;
                assert_ne!(
                    undisturbed.ok(),
                    Some(false),
                    "an exclusive turn runs alone"
                );
            }
            let ended = if choices.bool() {
                object.write_slowly(turn, ending).await
            } else {
                object.write(turn, ending).await
            };
            match ended {
                Ok(()) => succeeded.borrow_mut().insert(turn),
                Err(CallError::Application(_)) => failed.borrow_mut().insert(turn),
                // It may have taken effect, or not.
                Err(_) => false,
            };
            if choices.bool() {
                sim.env().sleep(MOMENT).await;
            }
        }
    };
    join_all((0..CALLERS).map(caller)).await;
    heal(sim).await;
    sim.advance(quiet_phase(sim)).await;
    let traces = traces_of(sim, &sim.objects::<Together>().named("a")).await;
    let places = [&traces.field, &traces.map, &traces.keys, &traces.runs];
    for turn in &*succeeded.borrow() {
        let is_kept = places.iter().all(|place| place.contains(turn));
        assert!(is_kept, "turn {turn} was acknowledged: {traces:?}");
    }
    for turn in &*failed.borrow() {
        let left = places.iter().any(|place| place.contains(turn));
        assert!(!left, "turn {turn} failed: {traces:?}");
    }
}

#[anchorhold::test(seed = 1, seeds = 100)]
async fn turns_of_one_commit_end_each_by_itself(sim: Sim) {
    run(&sim).await;
}

#[anchorhold::test(seed = 1, seeds = 300, faults = Faults::all())]
async fn turns_of_one_commit_end_each_by_itself_under_all_faults(sim: Sim) {
    run(&sim).await;
}
