//! Callers that hang up: the turns that wait for them learn of it, and none waits on.

use std::cell::Cell;
use std::pin::pin;
use std::time::Duration;

use anchorhold::Faults;
use anchorhold::prelude::*;
use futures_util::future::{Either, join_all, select};

use super::clients::{choices, heal};

const CALLERS: u64 = 4;
const CALLS: usize = 4;
/// Longer than the whole test.
const LONG: Duration = Duration::from_secs(12 * 60 * 60);

/// A desk at which callers wait.
#[durable_object]
struct Desk {
    /// Of this life.
    #[memory]
    waiting: Cell<u32>,
}

struct Waiting<'a>(&'a Cell<u32>);

impl<'a> Waiting<'a> {
    fn begin(count: &'a Cell<u32>) -> Self {
        count.set(count.get() + 1);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

#[durable_object]
impl Desk {
    #[rpc]
    async fn wait(&self, ctx: &Ctx) -> bool {
        let _waiting = Waiting::begin(&self.waiting);
        let (gone, bell) = (pin!(ctx.caller_gone()), pin!(ctx.sleep(LONG)));
        matches!(select(gone, bell).await, Either::Left(_))
    }

    /// Waits on behalf of another, at another desk.
    #[rpc]
    async fn wait_at(&self, ctx: &Ctx, other: String) {
        let _waiting = Waiting::begin(&self.waiting);
        let other = ctx.objects::<Self>().named(&other);
        let (gone, answer) = (pin!(ctx.caller_gone()), pin!(other.wait()));
        let _ = select(gone, answer).await;
    }

    #[rpc]
    fn waiting(&self) -> u32 {
        self.waiting.get()
    }
}

async fn caller(sim: &Sim, number: u64) {
    let mut choices = choices(sim, number);
    for _ in 0..CALLS {
        let desk = sim.objects::<Desk>().named(["a", "b"][choices.usize(0..2)]);
        let patience = Duration::from_millis(choices.u64(0..3_000));
        // Some hang up while the object wakes, or before the call arrives.
        let patience = if choices.bool() {
            patience
        } else {
            Duration::ZERO
        };
        if choices.bool() {
            let _ = tokio::time::timeout(patience, desk.wait()).await;
        } else {
            let _ = tokio::time::timeout(patience, desk.wait_at("c".to_owned())).await;
        }
    }
}

async fn waiting(sim: &Sim, name: &str) -> u32 {
    let desk = sim.objects::<Desk>().named(name);
    for _ in 0..1_000 {
        if let Ok(waiting) = desk.waiting().await {
            return waiting;
        }
        sim.env().sleep(Duration::from_millis(200)).await;
    }
    panic!("the object does not answer");
}

async fn run(sim: &Sim) {
    join_all((0..CALLERS).map(|number| caller(sim, number))).await;
    heal(sim).await;
    for name in ["a", "b", "c"] {
        let waiting = waiting(sim, name).await;
        assert_eq!(
            waiting, 0,
            "turns of {name} wait for callers that have hung up"
        );
    }
}

#[anchorhold::test(seed = 1, seeds = 50)]
async fn no_turn_waits_for_a_caller_that_has_hung_up(sim: Sim) {
    run(&sim).await;
}

#[anchorhold::test(seed = 1, seeds = 100, faults = Faults::all())]
async fn no_turn_waits_for_a_caller_that_has_hung_up_under_all_faults(sim: Sim) {
    run(&sim).await;
}
