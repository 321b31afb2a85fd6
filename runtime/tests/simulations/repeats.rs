//! Two runs of a seed that differ, in whatever, are a failure.

use std::cell::Cell;
use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use anchorhold::__private::{Runs, run_test};
use anchorhold::prelude::*;

use crate::failing::failure_of;

/// Asks for what does not come from the simulator.
#[durable_object]
struct Wild {
    last: String,
}

#[durable_object]
impl Wild {
    #[rpc]
    fn clock(&self) -> u64 {
        nanos()
    }

    #[rpc]
    fn store_clock(&mut self) {
        self.last = nanos().to_string();
    }

    #[rpc]
    fn order_of_a_set(&self) -> Vec<u32> {
        (0..50).collect::<HashSet<_>>().into_iter().collect()
    }

    #[rpc]
    fn count_in_a_static(&self) -> u64 {
        static CALLS: AtomicU64 = AtomicU64::new(0);
        CALLS.fetch_add(1, Ordering::SeqCst)
    }

    #[rpc]
    async fn select(&self) -> Vec<bool> {
        let mut chosen = Vec::new();
        for _ in 0..50 {
            tokio::select! {
                () = std::future::ready(()) => chosen.push(true),
                () = std::future::ready(()) => chosen.push(false),
            }
        }
        chosen
    }

    #[rpc]
    async fn send_clock_out(&self, ctx: &Ctx) {
        let request = Request::new("POST", "https://example.com/");
        let _ = ctx.fetch(request.with_body(nanos().to_string())).await;
    }

    #[rpc]
    async fn send_clock_to_another(&self, ctx: &Ctx) {
        let other = ctx.objects::<Wild>().named("other");
        let _ = other.take(nanos()).await;
    }

    #[rpc]
    fn take(&self, value: u64) {
        let _ = value;
    }

    #[get("/clock")]
    fn clock_by_http(&self) -> u64 {
        nanos()
    }
}

fn nanos() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_nanos().try_into().unwrap()
}

fn twice() -> Runs {
    Runs {
        seed: Some(1),
        seeds: Some(1),
        ..Runs::default()
    }
}

fn assert_is_found(name: &'static str, body: impl AsyncFn(WildStub)) {
    let text = failure_of(|| {
        run_test(twice(), name, async |sim: Sim| {
            body(sim.objects::<Wild>().named("a")).await;
        });
    });
    assert!(text.contains("does not come from the simulator"), "{text}");
}

#[test]
fn values_that_do_not_come_from_the_simulator_are_found() {
    assert_is_found("clock", async |wild| drop(wild.clock().await));
    assert_is_found("stored", async |wild| wild.store_clock().await.unwrap());
    assert_is_found("set", async |wild| drop(wild.order_of_a_set().await));
    assert_is_found("static", async |wild| drop(wild.count_in_a_static().await));
    assert_is_found("select", async |wild| drop(wild.select().await));
    assert_is_found("outside", async |wild| drop(wild.send_clock_out().await));
    assert_is_found("other", async |wild| {
        drop(wild.send_clock_to_another().await)
    });
    assert_is_found("argument", async |wild| drop(wild.take(nanos()).await));
    assert_is_found("http", async |wild| {
        drop(wild.fetch(Request::new("GET", "/clock")).await);
    });
}

#[test]
fn failure_of_the_second_run_only_is_reported_as_such() {
    let runs = Cell::new(0);
    let text = failure_of(|| {
        run_test(twice(), "second", async |_: Sim| {
            runs.set(runs.get() + 1);
            assert!(runs.get() != 2, "only once");
        });
    });
    assert!(
        text.contains("passed, and failed when it was repeated: only once"),
        "{text}"
    );
}

#[test]
fn failure_of_the_first_run_only_is_reported_as_such() {
    let runs = Cell::new(0);
    let text = failure_of(|| {
        run_test(twice(), "first", async |_: Sim| {
            runs.set(runs.get() + 1);
            assert!(runs.get() != 1, "only once");
        });
    });
    assert!(
        text.contains("failed, and passed when it was repeated: only once"),
        "{text}"
    );
}

#[test]
fn error_that_the_second_run_returns_fails_the_test() {
    let runs = Cell::new(0);
    let text = failure_of(|| {
        run_test(twice(), "error", async |_: Sim| {
            runs.set(runs.get() + 1);
            if runs.get() == 2 {
                return Err("only once");
            }
            Ok(())
        })
    });
    assert!(
        text.contains("passed, and failed when it was repeated: \"only once\""),
        "{text}"
    );
}
