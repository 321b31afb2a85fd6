//! Random SQL of objects, in turns that also write: a statement costs at most its own turn, and
//! reaches nothing of the runtime's own, whatever its text.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anchorhold::prelude::*;
use anchorhold::{Faults, List, SqlValue};
use fastrand::Rng;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

use super::clients::{choices, heal, quiet_phase};

const CALLERS: u64 = 3;
const TURNS: usize = 8;
const MOMENT: Duration = Duration::from_millis(1);

const RESOLUTIONS: [&str; 5] = ["ABORT", "FAIL", "IGNORE", "REPLACE", "ROLLBACK"];

/// Statements of an object. `#` stands for a number, `%` for the resolution of a conflict.
const STATEMENTS: [&str; 19] = [
    "INSERT OR % INTO item VALUES (#, #)",
    "INSERT OR % INTO item SELECT id + #, amount FROM item",
    "INSERT INTO item VALUES (#, #) ON CONFLICT DO UPDATE SET amount = #",
    "UPDATE OR % item SET id = # WHERE id > #",
    "UPDATE item SET amount = -#",
    "DELETE FROM item WHERE id = #",
    "SELECT count(*) FROM item JOIN extra#",
    "CREATE TABLE extra# (x UNIQUE ON CONFLICT %)",
    "CREATE TABLE extra# (x INTEGER PRIMARY KEY ON CONFLICT % REFERENCES item)",
    "INSERT INTO extra# VALUES (#), (#)",
    "DROP TABLE IF EXISTS extra#",
    "CREATE TRIGGER guard# BEFORE INSERT ON item WHEN new.id = # BEGIN SELECT RAISE(%, 'no'); END",
    "DROP TRIGGER IF EXISTS guard#",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT segment",
    "RELEASE segment",
    "ROLLBACK TO segment",
];

/// The statements of the runtime on its own tables, from its sources.
fn own_statements() -> Vec<String> {
    const VERBS: [&str; 4] = ["SELECT ", "INSERT ", "UPDATE ", "DELETE "];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/platform/native/store");
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path());
    let mut found = Vec::new();
    for path in files.filter(|path| path.is_file()) {
        let source = fs::read_to_string(path).unwrap();
        let is_own =
            |text: &&str| VERBS.iter().any(|verb| text.starts_with(verb)) && text.contains(" _cf_");
        found.extend(source.split('"').filter(is_own).map(str::to_owned));
    }
    // The order of a folder's files differs between systems.
    found.sort_unstable();
    assert!(found.len() > 4, "{found:?}");
    found
}

fn statement(choices: &mut Rng, own: &[String]) -> String {
    if choices.u8(0..4) == 0 {
        return own[choices.usize(0..own.len())].clone();
    }
    let mut text = String::new();
    for letter in STATEMENTS[choices.usize(0..STATEMENTS.len())].chars() {
        match letter {
            '#' => text.push_str(&choices.u8(0..3).to_string()),
            '%' => text.push_str(RESOLUTIONS[choices.usize(0..RESOLUTIONS.len())]),
            letter => text.push(letter),
        }
    }
    text
}

/// Whether a statement uses the runtime's own tables, or would end its transaction.
fn is_forbidden(statement: &str) -> bool {
    const CONTROL: [&str; 5] = ["BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE"];
    statement.contains("_cf_")
        || statement.contains("ROLLBACK")
        || CONTROL.iter().any(|verb| statement.starts_with(verb))
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Plan {
    turn: u32,
    statements: Vec<String>,
    /// Whether a statement that fails ends the turn.
    is_strict: bool,
    waits: bool,
}

/// The numbers of the turns that left a trace, place by place.
#[derive(Debug, Serialize, Deserialize)]
struct Traces {
    field: Vec<u32>,
    keys: Vec<u32>,
    rows: Vec<u32>,
}

#[durable_object(migrations = [
    "CREATE TABLE trace (turn INTEGER)",
    "CREATE TABLE item (id INTEGER PRIMARY KEY, amount INTEGER CHECK (amount >= 0))",
])]
struct Script {
    turns: Vec<u32>,
}

#[durable_object]
impl Script {
    #[rpc]
    fn at_once(&mut self, ctx: &Ctx, plan: Plan) -> Result<(), Error> {
        self.run(ctx, &plan)
    }

    #[rpc]
    async fn after_a_moment(&mut self, ctx: &Ctx, plan: Plan) -> Result<(), Error> {
        ctx.sleep(MOMENT).await;
        self.run(ctx, &plan)
    }

    fn run(&mut self, ctx: &Ctx, plan: &Plan) -> Result<(), Error> {
        let (storage, turn) = (ctx.storage(), plan.turn);
        let sql = storage.sql();
        self.turns.push(turn);
        storage.put(&format!("key{turn}"), &turn)?;
        sql.execute("INSERT INTO trace VALUES (?)", (turn,))?;
        for statement in &plan.statements {
            let given = |number: &u8| statement.contains(&format!("?{number}"));
            let parameters = (1..9).filter(given).map(|_| SqlValue::Integer(0));
            match sql.execute(statement, parameters.collect::<Vec<_>>()) {
                Ok(_) if is_forbidden(statement) => {
                    return Err(Error::new(500, "not_refused", statement.clone()));
                }
                Err(error) if plan.is_strict => return Err(error.into()),
                Ok(_) | Err(_) => {}
            }
        }
        Ok(())
    }

    #[rpc]
    fn traces(&self, ctx: &Ctx) -> Result<Traces, StorageError> {
        let keys = ctx.storage().list(&List::all().prefix("key"))?;
        Ok(Traces {
            field: self.turns.clone(),
            keys: keys.into_iter().map(|(_, turn)| turn).collect(),
            rows: ctx.storage().sql().query("SELECT turn FROM trace", ())?,
        })
    }
}

async fn traces_of(sim: &Sim, script: &ScriptStub) -> Traces {
    for _ in 0..1_000 {
        if let Ok(traces) = script.traces().await {
            return traces;
        }
        sim.advance(Duration::from_secs(1)).await;
    }
    panic!("the object does not answer");
}

async fn run(sim: &Sim, is_undisturbed: bool) {
    let own = own_statements();
    let next = Cell::new(0);
    let succeeded = RefCell::new(BTreeSet::new());
    let failed = RefCell::new(BTreeSet::new());
    let script = sim.objects::<Script>().named("a");
    let caller = async |number| {
        let mut choices = choices(sim, number);
        for _ in 0..TURNS {
            let plan = Plan {
                turn: next.replace(next.get() + 1),
                statements: (0..choices.u8(0..4))
                    .map(|_| statement(&mut choices, &own))
                    .collect(),
                is_strict: choices.bool(),
                waits: choices.bool(),
            };
            let ended = if plan.waits {
                script.after_a_moment(plan.clone()).await
            } else {
                script.at_once(plan.clone()).await
            };
            match ended {
                Ok(()) => drop(succeeded.borrow_mut().insert(plan.turn)),
                Err(CallError::Application(error)) => {
                    assert_ne!(error.code(), "not_refused", "{error}");
                    failed.borrow_mut().insert(plan.turn);
                }
                // It may have taken effect, or not.
                Err(error) => assert!(!is_undisturbed, "{plan:?} beside others: {error}"),
            }
        }
    };
    join_all((0..CALLERS).map(caller)).await;
    heal(sim).await;
    sim.advance(quiet_phase(sim)).await;
    let traces = traces_of(sim, &script).await;
    let places = [&traces.field, &traces.keys, &traces.rows];
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
async fn statement_costs_at_most_its_own_turn(sim: Sim) {
    run(&sim, true).await;
}

#[anchorhold::test(seed = 1, seeds = 100, faults = Faults::all())]
async fn statement_costs_at_most_its_own_turn_under_all_faults(sim: Sim) {
    run(&sim, false).await;
}
