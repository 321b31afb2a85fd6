//! What the simulator says of a host that does not come to rest, and of one that takes on little.

use std::cell::Cell;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use anchorhold::__private::run_test;
use anchorhold::prelude::*;
use anchorhold::{FaultKind, Faults};
use futures_util::future::join_all;

#[durable_object]
struct Endless {}

#[durable_object]
impl Endless {
    #[rpc]
    async fn wait_for_ever(&self) {
        pending::<()>().await;
    }

    #[rpc]
    fn work_for_ever(&self, ctx: &Ctx) {
        ctx.wait_until(pending());
    }

    #[rpc]
    async fn pause(&self, ctx: &Ctx) {
        ctx.sleep(Duration::from_secs(1)).await;
    }
}

fn endless(sim: &Sim) -> EndlessStub {
    sim.objects::<Endless>().named("a")
}

fn failure_of<F: Future<Output = ()>>(body: impl Fn(Sim) -> F) -> String {
    let run = || run_test(Some(1), "rest", &body);
    let panic = catch_unwind(AssertUnwindSafe(run)).expect_err("it fails");
    *panic.downcast::<String>().unwrap()
}

#[test]
fn turn_that_does_not_end_is_named_after_the_test() {
    let failure = failure_of(async |sim: Sim| {
        let given_up = endless(&sim).wait_for_ever();
        let _ = tokio::time::timeout(Duration::from_secs(5), given_up).await;
    });
    assert!(
        failure.contains("wait_for_ever() #1 of Endless \"a\""),
        "{failure}"
    );
    assert!(failure.contains("has run for 36"), "{failure}");
}

#[test]
fn background_work_that_does_not_end_is_named_after_the_test() {
    let failure = failure_of(async |sim: Sim| endless(&sim).work_for_ever().await.unwrap());
    let expected = "work in the background of Endless";
    assert!(failure.contains(expected), "{failure}");
}

#[test]
fn turn_that_the_test_waits_for_in_vain_is_named() {
    let failure = failure_of(async |sim: Sim| endless(&sim).wait_for_ever().await.unwrap());
    assert!(
        failure.contains("wait_for_ever() #1 of Endless \"a\""),
        "{failure}"
    );
}

#[test]
fn small_limits_refuse_calls_until_faults_end() {
    let refused = Cell::new(false);
    run_test(Some(1), "small", async |sim: Sim| {
        sim.set_faults(Faults::none().one_in(1, FaultKind::SmallLimits));
        let at_once = || join_all((0..32).map(|_| endless(&sim).pause()));
        let is_overloaded = |answer| matches!(answer, Err(CallError::Overloaded(_)));
        let answers = at_once().await;
        refused.set(answers.into_iter().any(is_overloaded));
        sim.heal().await;
        let answers = at_once().await;
        assert!(answers.into_iter().all(|answer| answer.is_ok()));
    });
    assert!(refused.get());
}
