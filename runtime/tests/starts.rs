//! Starts that fail, and work in the background that panics: what they leave behind.

use std::cell::Cell;
use std::time::Duration;

use anchorhold::prelude::*;

thread_local! {
    /// How the next starts go.
    static STARTS: Cell<&'static str> = const { Cell::new("well") };
}

fn starts(how: &'static str) {
    STARTS.set(how);
}

fn begin(ctx: &Ctx) -> Result<(), Error> {
    let times: u32 = ctx.storage().get("starts")?.unwrap_or(0);
    ctx.storage().put("starts", &(times + 1))?;
    match STARTS.get() {
        "with an abort" => ctx.abort("on purpose"),
        "with a panic" => panic!("on purpose"),
        "with an error" => Err(Error::internal("on purpose")),
        _ => Ok(()),
    }
}

fn times(ctx: &Ctx) -> Result<u32, Error> {
    Ok(ctx.storage().get("starts")?.unwrap_or(0))
}

/// Starts without waiting.
#[durable_object]
struct AtOnce {
    value: i64,
}

#[durable_object]
impl AtOnce {
    #[init]
    fn begin(&mut self, ctx: &Ctx) -> Result<(), Error> {
        self.value += 1;
        begin(ctx)
    }

    #[rpc]
    fn times(&self, ctx: &Ctx) -> Result<(u32, i64), Error> {
        Ok((times(ctx)?, self.value))
    }

    #[rpc]
    fn panic_in_background(&self, ctx: &Ctx, wait: bool) {
        let pause = ctx.sleep(Duration::from_millis(10));
        ctx.wait_until(async move {
            if wait {
                pause.await;
            }
            panic!("on purpose");
        });
    }
}

/// Waits while it starts.
#[durable_object]
struct InTime {
    value: i64,
}

#[durable_object]
impl InTime {
    #[init]
    async fn begin(&mut self, ctx: &Ctx) -> Result<(), Error> {
        ctx.sleep(Duration::from_millis(10)).await;
        self.value += 1;
        begin(ctx)
    }

    #[rpc]
    fn times(&self, ctx: &Ctx) -> Result<(u32, i64), Error> {
        Ok((times(ctx)?, self.value))
    }
}

const FAILURES: [&str; 3] = ["with an abort", "with a panic", "with an error"];

#[anchorhold::test]
async fn failed_start_leaves_no_writes(sim: Sim) {
    for how in FAILURES {
        let subject = sim.objects::<AtOnce>().named(how);
        for _ in 0..3 {
            starts(how);
            assert!(subject.times().await.is_err());
            sim.advance(Duration::from_secs(1)).await;
        }
        starts("well");
        assert_eq!(subject.times().await.unwrap(), (1, 1), "{how}");
    }
}

#[anchorhold::test]
async fn failed_start_that_waits_leaves_no_writes(sim: Sim) {
    for how in FAILURES {
        let subject = sim.objects::<InTime>().named(how);
        for _ in 0..3 {
            starts(how);
            assert!(subject.times().await.is_err());
            sim.advance(Duration::from_secs(1)).await;
        }
        starts("well");
        assert_eq!(subject.times().await.unwrap(), (1, 1), "{how}");
    }
}

#[anchorhold::test]
async fn error_of_a_start_is_none_of_the_called_method(sim: Sim) {
    starts("with an error");
    let expected = Error::internal("on purpose");
    let at_once = sim.objects::<AtOnce>().named("a");
    assert_eq!(
        at_once.times().await,
        Err(CallError::Start(expected.clone()))
    );
    assert_eq!(
        at_once.panic_in_background(false).await,
        Err(CallError::Start(expected.clone()))
    );
    let in_time = sim.objects::<InTime>().named("a");
    assert_eq!(in_time.times().await, Err(CallError::Start(expected)));
}

#[anchorhold::test]
async fn failed_start_after_a_good_one_keeps_what_was_committed(sim: Sim) {
    let subject = sim.objects::<AtOnce>().named("a");
    starts("well");
    assert_eq!(subject.times().await.unwrap(), (1, 1));
    sim.evict(&subject).await;
    starts("with a panic");
    assert!(subject.times().await.is_err());
    sim.crash().await;
    starts("well");
    assert_eq!(subject.times().await.unwrap(), (2, 2));
}

#[anchorhold::test]
async fn panic_in_background_work_resets_the_object_and_leaves_it_idle(sim: Sim) {
    starts("well");
    for wait in [false, true] {
        let subject = sim.objects::<AtOnce>().named(if wait { "a" } else { "b" });
        assert_eq!(subject.times().await.unwrap().0, 1);
        drop(subject.panic_in_background(wait).await);
        sim.advance(Duration::from_secs(1)).await;
        let reset = |line: &String| line.contains("reset AtOnce");
        assert!(sim.trace().iter().any(reset));
        let (times, _) = subject.times().await.unwrap();
        assert_eq!(times, 2, "woken anew");
        sim.evict(&subject).await;
    }
}
