//! An object learns that nobody waits for its answer any more.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use anchorhold::prelude::*;

const LONG: Duration = Duration::from_secs(60 * 60);

/// Waits on behalf of its callers, and counts those who left.
#[durable_object]
struct Waiter {
    #[memory]
    waits: Cell<u32>,
    #[memory]
    left: Cell<u32>,
    #[memory]
    heard: Cell<bool>,
}

/// Whether the caller left before the work was done.
async fn left_before(ctx: &Ctx, work: impl Future) -> bool {
    let (mut gone, mut work) = (pin!(ctx.caller_gone()), pin!(work));
    poll_fn(|context| match gone.as_mut().poll(context) {
        Poll::Ready(()) => Poll::Ready(true),
        Poll::Pending => work.as_mut().poll(context).map(|_| false),
    })
    .await
}

#[durable_object]
impl Waiter {
    #[rpc]
    #[get("/wait")]
    async fn wait(&self, ctx: &Ctx) -> bool {
        self.waits.set(self.waits.get() + 1);
        let left = left_before(ctx, ctx.sleep(LONG)).await;
        self.waits.set(self.waits.get() - 1);
        self.left.set(self.left.get() + u32::from(left));
        left
    }

    /// Two of one turn may ask.
    #[rpc]
    async fn wait_twice(&self, ctx: &Ctx) {
        let both = left_before(ctx, left_before(ctx, ctx.sleep(LONG)));
        if both.await {
            self.left.set(self.left.get() + 1);
        }
    }

    /// Waits for another object, which waits.
    #[rpc]
    async fn wait_for(&self, ctx: &Ctx, other: String) {
        let other = ctx.objects::<Self>().named(&other);
        if left_before(ctx, other.wait()).await {
            self.left.set(self.left.get() + 1);
        }
    }

    /// Waits for another object, whoever has left.
    #[rpc]
    async fn insist(&self, ctx: &Ctx, other: String) -> Result<bool, Error> {
        let answer = ctx.objects::<Self>().named(&other).wait().await?;
        self.heard.set(true);
        Ok(answer)
    }

    #[rpc]
    fn set_alarm(&self, ctx: &Ctx) -> Result<(), Error> {
        Self::schedules(ctx).watch().after(Duration::from_secs(1))?;
        Ok(())
    }

    #[alarm]
    async fn watch(&self, ctx: &Ctx) {
        let left = left_before(ctx, ctx.sleep(Duration::from_secs(10))).await;
        self.left.set(u32::from(left));
        self.heard.set(true);
    }

    #[rpc]
    fn counts(&self) -> (u32, u32, bool) {
        (self.waits.get(), self.left.get(), self.heard.get())
    }
}

#[anchorhold::test]
async fn a_dropped_call_is_noticed_and_others_are_not_taken_for_it(sim: Sim) {
    let waiter = sim.objects::<Waiter>().named("a");
    let (leaves, stays) = (waiter.wait(), waiter.wait());
    assert_eq!(waiter.counts().await.unwrap(), (2, 0, false));
    drop(leaves);
    sim.advance(Duration::ZERO).await;
    assert_eq!(waiter.counts().await.unwrap(), (1, 1, false));
    assert!(!stays.await.unwrap());
    assert_eq!(waiter.counts().await.unwrap(), (0, 1, false));
}

#[anchorhold::test]
async fn a_call_that_was_dropped_on_its_way_is_noticed(sim: Sim) {
    let waiter = sim.objects::<Waiter>().named("a");
    drop(waiter.wait());
    sim.advance(Duration::ZERO).await;
    assert_eq!(waiter.counts().await.unwrap(), (0, 1, false));
}

#[anchorhold::test]
async fn all_futures_of_one_turn_resolve_when_its_caller_has_gone(sim: Sim) {
    let waiter = sim.objects::<Waiter>().named("a");
    let call = waiter.wait_twice();
    waiter.counts().await.unwrap();
    drop(call);
    sim.advance(Duration::ZERO).await;
    assert_eq!(waiter.counts().await.unwrap(), (0, 1, false));
}

#[anchorhold::test]
async fn a_request_to_the_app_that_was_dropped_is_noticed(sim: Sim) {
    sim.app(App::new().mount::<Waiter>("/waiters/{name}"));
    let waiter = sim.objects::<Waiter>().named("a");
    {
        let mut request = pin!(sim.fetch(Request::new("GET", "/waiters/a/wait")));
        poll_fn(|context| {
            assert!(request.as_mut().poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
        assert_eq!(waiter.counts().await.unwrap(), (1, 0, false));
    }
    sim.advance(Duration::ZERO).await;
    assert_eq!(waiter.counts().await.unwrap(), (0, 1, false));
}

#[anchorhold::test]
async fn disconnect_is_passed_along_a_chain_of_calls(sim: Sim) {
    let waiters = sim.objects::<Waiter>();
    let (first, second) = (waiters.named("first"), waiters.named("second"));
    let call = first.wait_for("second".to_owned());
    sim.advance(Duration::ZERO).await;
    assert_eq!(second.counts().await.unwrap(), (1, 0, false));
    drop(call);
    sim.advance(Duration::ZERO).await;
    assert_eq!(first.counts().await.unwrap(), (0, 1, false));
    assert_eq!(second.counts().await.unwrap(), (0, 1, false));
}

#[anchorhold::test]
async fn a_turn_that_does_not_ask_goes_on_and_so_does_what_it_waits_for(sim: Sim) {
    let waiters = sim.objects::<Waiter>();
    let (first, second) = (waiters.named("first"), waiters.named("second"));
    let call = first.insist("second".to_owned());
    sim.advance(Duration::ZERO).await;
    drop(call);
    sim.advance(Duration::ZERO).await;
    assert_eq!(second.counts().await.unwrap(), (1, 0, false));
    sim.advance(LONG).await;
    assert_eq!(first.counts().await.unwrap(), (0, 0, true));
    assert_eq!(second.counts().await.unwrap(), (0, 0, false));
}

#[anchorhold::test]
async fn an_alarm_has_no_caller_to_lose(sim: Sim) {
    let waiter = sim.objects::<Waiter>().named("a");
    waiter.set_alarm().await.unwrap();
    sim.advance(Duration::from_secs(20)).await;
    assert_eq!(waiter.counts().await.unwrap(), (0, 0, true));
}
