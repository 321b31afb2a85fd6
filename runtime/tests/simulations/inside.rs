//! Looking inside of objects, and what is to hold after each of their turns.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use anchorhold::__private::run_test;
use anchorhold::Faults;
use anchorhold::prelude::*;

#[durable_object(migrations = ["CREATE TABLE entry (id INTEGER PRIMARY KEY, amount INTEGER)"])]
struct Ledger {
    balance: i64,
    #[memory]
    reads: u32,
    notes: StoredMap<String, i64>,
}

#[durable_object]
impl Ledger {
    #[rpc]
    fn book(&mut self, ctx: &Ctx, amount: i64) -> Result<(), Error> {
        self.balance += amount;
        self.notes.insert("last", &amount)?;
        ctx.storage()
            .sql()
            .execute("INSERT INTO entry (amount) VALUES (?)", (amount,))?;
        Ok(())
    }

    #[rpc]
    fn read(&mut self) -> i64 {
        self.reads += 1;
        self.balance
    }

    #[rpc]
    async fn book_late(&mut self, ctx: &Ctx, amount: i64) {
        ctx.sleep(Duration::from_secs(5)).await;
        self.balance += amount;
    }

    #[rpc]
    fn remind(&self, ctx: &Ctx, key: &str, seconds: u64) -> Result<(), StorageError> {
        Self::schedules(ctx)
            .pay(7)
            .key(key)
            .after(Duration::from_secs(seconds))
    }

    #[alarm]
    fn pay(&mut self, amount: i64) -> Result<(), Error> {
        let _ = amount;
        Err(Error::conflict("later", "not yet"))
    }
}

/// Without tables of its own.
#[durable_object]
struct Plain {
    value: i64,
}

#[durable_object]
impl Plain {
    #[rpc]
    fn value(&self) -> i64 {
        self.value
    }
}

#[anchorhold::test]
async fn value_is_seen_in_memory_and_at_rest(sim: Sim) {
    let ledger = sim.objects::<Ledger>().named("a");
    sim.inside(&ledger, |ledger: &Ledger| assert_eq!(ledger.balance, 0));
    ledger.book(5).await.unwrap();
    ledger.read().await.unwrap();
    let look = |ledger: &Ledger| {
        let note = ledger.notes.get("last").unwrap();
        (ledger.balance, ledger.reads, note)
    };
    assert_eq!(sim.inside(&ledger, look), (5, 1, Some(5)));
    sim.evict(&ledger).await;
    assert_eq!(sim.inside(&ledger, look), (5, 0, Some(5)));
    sim.crash().await;
    assert_eq!(sim.inside(&ledger, look), (5, 0, Some(5)));
}

#[anchorhold::test]
async fn looking_leaves_no_mark_in_the_run(sim: Sim) {
    let ledger = sim.objects::<Ledger>().named("a");
    ledger.book(5).await.unwrap();
    sim.evict(&ledger).await;
    // Its database is closed.
    sim.advance(Duration::ZERO).await;
    let before = (sim.trace(), sim.steps());
    sim.inside(&ledger, |ledger: &Ledger| assert_eq!(ledger.balance, 5));
    let unknown = sim.objects::<Ledger>().named("b");
    sim.inside(&unknown, |ledger: &Ledger| assert_eq!(ledger.balance, 0));
    sim.pending_runs(&ledger);
    sim.rows::<i64>(&ledger, "DELETE FROM entry RETURNING id")
        .unwrap();
    assert_eq!(sim.all::<Ledger>(), [ledger.id().unwrap()]);
    sim.advance(Duration::ZERO).await;
    assert_eq!((sim.trace(), sim.steps()), before);
    let rows = sim.rows::<(i64, i64)>(&ledger, "SELECT id, amount FROM entry");
    assert_eq!(rows.unwrap(), [(1, 5)]);
}

#[anchorhold::test]
async fn writes_of_a_query_are_taken_back_in_memory_too(sim: Sim) {
    let ledger = sim.objects::<Ledger>().named("a");
    ledger.book(5).await.unwrap();
    sim.rows::<i64>(&ledger, "DELETE FROM entry RETURNING id")
        .unwrap();
    let count = sim.rows::<i64>(&ledger, "SELECT count(*) FROM entry");
    assert_eq!(count.unwrap(), [1]);
    sim.rows::<i64>(&ledger, "SELECT nothing")
        .expect_err("no such column");
    sim.crash().await;
    let count = sim.rows::<i64>(&ledger, "SELECT count(*) FROM entry");
    assert_eq!(count.unwrap(), [1]);
}

/// Whether it is in memory or not.
#[anchorhold::test]
async fn object_that_never_wrote_is_queried_as_its_own_turns_would(sim: Sim) {
    let ledger = sim.objects::<Ledger>().named("a");
    for round in 0..3 {
        let count = sim.rows::<i64>(&ledger, "SELECT count(*) FROM entry");
        assert_eq!(count.unwrap(), [0], "round {round}");
        for mistake in ["SELECT nothing", "SELEC 1", "SELECT id FROM entries"] {
            let rows = sim.rows::<i64>(&ledger, mistake);
            rows.expect_err("SQLite refuses it");
        }
        assert_eq!(sim.field::<_, i64>(&ledger, "balance"), Ok(None));
        assert_eq!(sim.all::<Ledger>(), []);
        match round {
            0 => assert_eq!(ledger.read().await.unwrap(), 0),
            _ => sim.evict(&ledger).await,
        }
    }
}

#[anchorhold::test]
async fn query_without_tables_is_answered_by_a_class_without_migrations(sim: Sim) {
    let plain = sim.objects::<Plain>().named("a");
    for _ in 0..2 {
        assert_eq!(sim.rows::<i64>(&plain, "SELECT 1"), Ok(vec![1]));
        let refused = sim.rows::<i64>(&plain, "SELECT seat FROM sale");
        refused.expect_err("no such table");
        assert_eq!(plain.value().await.unwrap(), 0);
    }
}

/// The disk may move an object's log at any time between its turns.
#[anchorhold::test(seed = 1, seeds = 40)]
async fn value_and_tables_are_seen_while_a_log_is_moved(sim: Sim) {
    let ledger = sim.objects::<Ledger>().named("a");
    for amount in 1..=6 {
        ledger.book(amount).await.unwrap();
        let look = |ledger: &Ledger| ledger.notes.get("last").unwrap();
        assert_eq!(sim.inside(&ledger, look), Some(amount));
        let count = sim.rows::<i64>(&ledger, "SELECT count(*) FROM entry");
        assert_eq!(count.unwrap(), [amount]);
    }
    assert_eq!(ledger.read().await.unwrap(), 21);
}

#[anchorhold::test]
async fn stored_field_is_read_by_its_name(sim: Sim) {
    let ledger = sim.objects::<Ledger>().named("a");
    assert_eq!(sim.field::<_, i64>(&ledger, "balance"), Ok(None));
    ledger.book(5).await.unwrap();
    assert_eq!(sim.field(&ledger, "balance"), Ok(Some(5)));
    sim.evict(&ledger).await;
    assert_eq!(sim.field(&ledger, "balance"), Ok(Some(5)));
    let misfit = sim.field::<_, String>(&ledger, "balance");
    let text = misfit.expect_err("a number").to_string();
    assert!(text.contains("stored field `balance`"), "{text}");
}

#[test]
fn field_that_is_not_stored_is_named_with_those_that_are() {
    for name in ["reads", "missing"] {
        let failed = catch_unwind(AssertUnwindSafe(|| {
            run_test(Some(1), "field", async |sim: Sim| {
                let ledger = sim.objects::<Ledger>().named("a");
                let _ = sim.field::<_, i64>(&ledger, name);
            });
        }));
        let panic = failed.expect_err("it is in memory only, or nowhere");
        let text = panic.downcast_ref::<String>().expect("a text");
        let expected = format!("Ledger has no stored field `{name}`; it has: balance, notes");
        assert_eq!(*text, expected);
    }
}

#[anchorhold::test]
async fn pending_runs_tell_their_dates_and_tries(sim: Sim) {
    let ledger = sim.objects::<Ledger>().named("a");
    assert_eq!(sim.pending_runs(&ledger), []);
    ledger.remind("late", 900).await.unwrap();
    ledger.remind("soon", 60).await.unwrap();
    let start = sim.now();
    let runs = sim.pending_runs(&ledger);
    let told: Vec<_> = runs
        .iter()
        .map(|run| (run.alarm.as_str(), run.key.as_str(), run.due, run.tries))
        .collect();
    assert_eq!(
        told,
        [
            ("pay", "soon", start + Duration::from_secs(60), 0),
            ("pay", "late", start + Duration::from_secs(900), 0),
        ]
    );
    sim.advance(Duration::from_secs(61)).await;
    sim.evict(&ledger).await;
    let runs = sim.pending_runs(&ledger);
    assert_eq!((runs[0].key.as_str(), runs[0].tries), ("soon", 1));
    assert!(runs[0].due > start + Duration::from_secs(61));
}

#[anchorhold::test]
async fn all_objects_of_a_class_are_listed_in_memory_and_at_rest(sim: Sim) {
    assert_eq!(sim.all::<Ledger>(), []);
    let ledgers = ["a", "b", "c"].map(|name| sim.objects::<Ledger>().named(name));
    for ledger in &ledgers {
        ledger.book(1).await.unwrap();
    }
    sim.evict(&ledgers[0]).await;
    let mut ids: Vec<_> = ledgers.iter().map(|it| it.id().unwrap()).collect();
    ids.sort_unstable_by_key(ToString::to_string);
    assert_eq!(sim.all::<Ledger>(), ids);
}

fn never_overdrawn(sim: &Sim) -> Result<(), String> {
    for id in sim.all::<Ledger>() {
        let ledger = sim.objects::<Ledger>().id(&id);
        let balance = sim.inside(&ledger, |ledger: &Ledger| ledger.balance);
        if balance < 0 {
            return Err(format!("{id} has {balance}"));
        }
    }
    Ok(())
}

#[test]
fn violated_invariant_fails_the_test_at_the_end_of_the_turn() {
    let reached = Cell::new(false);
    let failed = catch_unwind(AssertUnwindSafe(|| {
        run_test(Some(1), "overdrawn", async |sim: Sim| {
            sim.invariant("no ledger is overdrawn", never_overdrawn);
            let ledger = sim.objects::<Ledger>().named("a");
            ledger.book(5).await.unwrap();
            // Its caller never hears of it.
            let _ = ledger.book(-6).await;
            reached.set(true);
        });
    }));
    let panic = failed.expect_err("the invariant does not hold");
    let text = panic.downcast_ref::<String>().expect("a text");
    assert!(
        text.starts_with("the invariant `no ledger is overdrawn` of ")
            && text.contains("inside.rs:")
            && text.ends_with(" has -6") | text.ends_with(" has -1"),
        "{text}"
    );
    assert!(!reached.get(), "the run went on");
}

#[test]
fn invariant_is_checked_after_turns_that_waited() {
    let failed = catch_unwind(AssertUnwindSafe(|| {
        run_test(Some(1), "late", async |sim: Sim| {
            sim.invariant("no ledger is overdrawn", never_overdrawn);
            let ledger = sim.objects::<Ledger>().named("a");
            let _ = ledger.book_late(-1).await;
        });
    }));
    assert!(failed.is_err());
}

#[test]
fn invariant_holds_through_faults_and_is_checked_often() {
    let checks = Rc::new(Cell::new(0));
    for seed in 0..20 {
        let checks = Rc::clone(&checks);
        run_test(Some(seed), "faults", async |sim: Sim| {
            let counted = Rc::clone(&checks);
            sim.invariant("no ledger is overdrawn", move |sim| {
                counted.set(counted.get() + 1);
                never_overdrawn(sim)
            });
            sim.set_faults(Faults::all());
            for amount in 1..10 {
                let ledger = sim.objects::<Ledger>().named(&(amount % 3).to_string());
                let _ = ledger.book(amount).await;
            }
        });
    }
    assert!(checks.get() > 100, "{}", checks.get());
}
