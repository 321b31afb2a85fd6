//! A scenario with its process ending at each step in turn.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::time::Duration;

use anchorhold::__private::{Runs, run_test};
use anchorhold::prelude::*;

use crate::failing::{events_of, failure_of, report_of, variables_of};

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

const FAILING: &str = "exhaustive::order_that_is_placed_once";

#[test]
fn failing_step_is_repeated_by_the_command_that_its_report_shows() {
    let first = report_of(FAILING, &[]);
    let variables = variables_of(&first);
    assert_eq!(variables.len(), 2, "{first}");
    let again = report_of(FAILING, &variables);
    assert_eq!(events_of(&again), events_of(&first));
    assert_eq!(variables_of(&again), variables);
}

#[test]
fn step_at_which_the_process_cannot_end_is_refused() {
    let failed = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", FAILING])
        .env("ANCHORHOLD_SEED", "5")
        .env("ANCHORHOLD_STEP", "1000000")
        .output()
        .unwrap();
    let told = String::from_utf8(failed.stderr).unwrap();
    assert!(
        told.contains("the process cannot end at this step"),
        "{told}"
    );
}

#[test]
fn fault_that_does_not_happen_is_a_failure() {
    let runs = Cell::new(0);
    let text = failure_of(|| {
        run_test(exhaustive(), "other way", async |sim: Sim| {
            runs.set(runs.get() + 1);
            // The undisturbed runs take more steps than those after them.
            let orders = if runs.get() <= 2 { 10 } else { 1 };
            for _ in 0..orders {
                let _ = sim.objects::<Order>().named("a").place().await;
            }
        });
    });
    assert!(text.contains("the fault did not happen"), "{text}");
    assert!(text.contains("does not come from the simulator"), "{text}");
}

#[test]
fn undisturbed_runs_that_differ_are_a_failure() {
    let runs = Cell::new(0);
    let text = failure_of(|| {
        run_test(exhaustive(), "differs", async |sim: Sim| {
            runs.set(runs.get() + 1);
            for _ in 0..runs.get() {
                let _ = sim.objects::<Order>().named("a").place().await;
            }
        });
    });
    assert!(text.contains("two runs of seed 5"), "{text}");
    assert_eq!(runs.get(), 2);
}

#[anchorhold::test(exhaustive, seed = 5)]
async fn process_does_not_end_after_the_test_is_healed(sim: Sim) {
    let order = sim.objects::<Order>().named("a");
    until_ok(async || order.place().await).await;
    sim.heal().await;
    sim.advance(Duration::from_secs(300)).await;
    assert_eq!(order.shipped().await.unwrap(), 1);
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
