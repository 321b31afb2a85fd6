//! A scenario with its process ending at each step in turn.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::time::Duration;

use anchorhold::__private::{Runs, run_test};
use anchorhold::prelude::*;

#[durable_object]
struct Order {
    placed: bool,
    shipped: u32,
}

#[durable_object]
impl Order {
    /// Idempotent, so that a caller who was disconnected tries again.
    #[rpc]
    fn place(&mut self, ctx: &Ctx) -> Result<(), Error> {
        if !self.placed {
            self.placed = true;
            Self::schedules(ctx).ship().after(Duration::from_secs(60))?;
        }
        Ok(())
    }

    /// As `place`, and wrong: what it sends to the other object can be on its way twice, or not at all.
    #[rpc]
    async fn place_elsewhere(&self, ctx: &Ctx) -> Result<(), Error> {
        let stock = ctx.objects::<Order>().named("stock");
        stock.ship_one().await.map_err(|_| lost())?;
        ctx.storage().put("sent", &true)?;
        Ok(())
    }

    #[rpc]
    fn ship_one(&mut self) {
        self.shipped += 1;
    }

    #[rpc]
    fn shipped(&self) -> u32 {
        self.shipped
    }

    #[alarm]
    fn ship(&mut self) {
        self.shipped = 1;
    }
}

fn lost() -> Error {
    Error::conflict("lost", "the stock does not answer")
}

async fn until_ok<T, E, F: Future<Output = Result<T, E>>>(mut attempt: impl FnMut() -> F) -> T {
    loop {
        if let Ok(value) = attempt().await {
            return value;
        }
    }
}

#[anchorhold::test(exhaustive, seed = 5)]
async fn order_that_was_placed_is_shipped(sim: Sim) {
    let order = sim.objects::<Order>().named("a");
    until_ok(async || order.place().await).await;
    sim.advance(Duration::from_secs(300)).await;
    assert_eq!(until_ok(async || order.shipped().await).await, 1);
}

fn exhaustive() -> Runs {
    Runs {
        seed: Some(5),
        exhaustive: true,
        ..Runs::default()
    }
}

#[test]
fn each_step_where_the_process_can_end_has_a_crash_and_a_power_failure() {
    let runs = Cell::new(0);
    let seen = RefCell::new(BTreeSet::new());
    run_test(exhaustive(), "each", async |sim: Sim| {
        let order = sim.objects::<Order>().named("a");
        until_ok(async || order.place().await).await;
        for line in sim.trace() {
            if let Some((_, kind)) = line.split_once(" !! ") {
                // Each run has one, at a step of its own.
                runs.set(runs.get() + 1);
                seen.borrow_mut().insert(kind.to_owned());
            }
        }
    });
    assert!(runs.get() >= 10, "{} disturbed runs", runs.get());
    let kinds = ["crash", "power failure"].map(str::to_owned);
    assert_eq!(seen.into_inner(), BTreeSet::from(kinds));
}

#[test]
fn call_that_is_not_idempotent_is_found_with_the_step() {
    let failed = catch_unwind(AssertUnwindSafe(|| {
        run_test(exhaustive(), "elsewhere", async |sim: Sim| {
            let order = sim.objects::<Order>().named("a");
            until_ok(async || order.place_elsewhere().await).await;
            let stock = sim.objects::<Order>().named("stock");
            assert_eq!(until_ok(async || stock.shipped().await).await, 1);
        });
    }));
    assert!(failed.is_err(), "the stock ships twice after a crash");
}

/// Fails, for the test below, which runs it as a user would.
#[anchorhold::test(exhaustive, seed = 5)]
#[ignore = "fails on purpose: another test runs it"]
async fn order_that_is_placed_once(sim: Sim) {
    let order = sim.objects::<Order>().named("a");
    let placed = order.place().await;
    sim.advance(Duration::from_secs(300)).await;
    assert!(placed.is_ok(), "the caller gave up");
}

/// What a run of the failing test tells, with these variables.
fn report_of_the_failure(variables: &[(String, String)]) -> String {
    let program = std::env::current_exe().unwrap();
    let run = Command::new(program)
        .args(["--ignored", "--exact", "--nocapture"])
        .arg("exhaustive::order_that_is_placed_once")
        .env_remove("ANCHORHOLD_SEEDS")
        .envs(variables.iter().cloned())
        .output()
        .unwrap();
    assert!(!run.status.success());
    String::from_utf8(run.stderr).unwrap()
}

fn line_with<'a>(report: &'a str, text: &str) -> &'a str {
    let mut lines = report.lines();
    lines.find(|line| line.contains(text)).expect(report)
}

#[test]
fn failing_step_is_repeated_by_the_command_that_its_report_shows() {
    let first = report_of_the_failure(&[]);
    let failed = line_with(&first, "failed with seed");
    let command = line_with(&first, "the same run again: ");
    let variables: Vec<(String, String)> = command
        .split(' ')
        .filter_map(|word| word.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    assert_eq!(variables.len(), 2, "{command}");
    let again = report_of_the_failure(&variables);
    assert_eq!(line_with(&again, "failed with seed"), failed);
    assert_eq!(line_with(&again, "the same run again: "), command);

    let seed = variables[0].clone();
    let step = ("ANCHORHOLD_STEP".to_owned(), "1000000".to_owned());
    let refused = report_of_the_failure(&[seed, step]);
    assert!(
        refused.contains("the process cannot end at this step"),
        "{refused}"
    );
}

#[test]
fn failure_that_is_returned_ends_the_sweep() {
    let runs = Cell::new(0);
    let result = run_test(exhaustive(), "returned", async |sim: Sim| {
        runs.set(runs.get() + 1);
        sim.objects::<Order>().named("a").place().await
    });
    assert!(result.is_err(), "a crash disconnects the caller");
    assert!(runs.get() > 1, "the undisturbed run succeeds");
}

#[test]
fn endless_loop_without_a_pause_fails_the_test() {
    let failed = catch_unwind(AssertUnwindSafe(|| {
        run_test(Some(1), "loop", async |sim: Sim| {
            while sim.objects::<Order>().named("a").shipped().await.is_ok() {}
        });
    }));
    let panic = failed.expect_err("it never ends");
    let text = panic.downcast_ref::<String>().expect("a text");
    assert!(text.contains("no time has passed"), "{text}");
}
