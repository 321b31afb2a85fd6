//! Only a turn that waits for a call can make a cycle of it.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::time::Duration;

use anchorhold::prelude::*;

#[durable_object]
struct Node {
    marks: u32,
    errors: Vec<String>,
    #[memory]
    kept: RefCell<Option<NodeStub>>,
}

#[durable_object]
impl Node {
    #[rpc]
    fn mark(&mut self) -> u32 {
        self.marks += 1;
        self.marks
    }

    #[rpc]
    fn note_error(&mut self, error: String) {
        self.errors.push(error);
    }

    #[rpc]
    fn seen(&self) -> (u32, Vec<String>) {
        (self.marks, self.errors.clone())
    }

    /// Marks another object, and waits for it.
    #[rpc]
    async fn mark_other(&self, ctx: &Ctx, other: String) -> Result<u32, Error> {
        Ok(ctx.objects::<Self>().named(&other).mark().await?)
    }

    /// Has another object call back, from the background of a turn that goes on.
    #[rpc]
    async fn work_beside(&mut self, ctx: &Ctx, other: String) {
        let own = ctx.name().unwrap_or_default();
        let other = ctx.objects::<Self>().named(&other);
        let me = ctx.objects::<Self>().named(&own);
        ctx.wait_until(async move {
            if let Err(error) = other.mark_other(own).await {
                let _ = me.note_error(error.to_string()).await;
            }
        });
        ctx.sleep(Duration::from_secs(5)).await;
        self.marks += 10;
    }

    /// Has another object call back, and waits for it.
    #[rpc]
    async fn wait_for_itself(&mut self, ctx: &Ctx, other: String) -> Result<u32, Error> {
        let own = ctx.name().unwrap_or_default();
        Ok(ctx.objects::<Self>().named(&other).mark_other(own).await?)
    }

    /// Waits, then marks another object.
    #[rpc]
    async fn mark_later(&self, ctx: &Ctx, other: String) -> Result<u32, Error> {
        ctx.sleep(Duration::from_secs(2)).await;
        Ok(ctx.objects::<Self>().named(&other).mark().await?)
    }

    /// Has another object call back, and gives up on it before it does.
    #[rpc]
    async fn give_up(&mut self, ctx: &Ctx, other: String) {
        let own = ctx.name().unwrap_or_default();
        let call = ctx.objects::<Self>().named(&other).mark_later(own);
        {
            let (mut call, mut patience) = (pin!(call), pin!(ctx.sleep(Duration::from_secs(1))));
            poll_fn(|context| {
                assert!(call.as_mut().poll(context).is_pending());
                patience.as_mut().poll(context)
            })
            .await;
        }
        ctx.sleep(Duration::from_secs(4)).await;
        self.marks += 10;
    }

    /// Begins a call in the turn, and waits for it outside.
    #[rpc]
    async fn hand_over(&mut self, ctx: &Ctx, other: String) {
        let own = ctx.name().unwrap_or_default();
        let me = ctx.objects::<Self>().named(&own);
        let call = ctx.objects::<Self>().named(&other).mark_later(own);
        ctx.wait_until(async move {
            if let Err(error) = call.await {
                let _ = me.note_error(error.to_string()).await;
            }
        });
        ctx.sleep(Duration::from_secs(4)).await;
        self.marks += 10;
    }

    /// Has another object call back, and waits for it. It hands the call over to its background.
    #[rpc]
    async fn wait_for_one_that_hands_over(
        &mut self,
        ctx: &Ctx,
        other: String,
        third: String,
    ) -> Result<(), Error> {
        let own = ctx.name().unwrap_or_default();
        let other = ctx.objects::<Self>().named(&other);
        other.hand_over_for(own, third).await?;
        self.marks += 10;
        Ok(())
    }

    #[rpc]
    async fn hand_over_for(&self, ctx: &Ctx, own: String, third: String) {
        let call = ctx.objects::<Self>().named(&third).mark_later(own.clone());
        let first = ctx.objects::<Self>().named(&own);
        ctx.wait_until(async move {
            if let Err(error) = call.await {
                let _ = first.note_error(error.to_string()).await;
            }
        });
        ctx.sleep(Duration::from_secs(4)).await;
    }

    #[rpc]
    async fn keep_stub(&self, ctx: &Ctx, other: String) {
        *self.kept.borrow_mut() = Some(ctx.objects::<Self>().named(&other));
    }

    /// As `wait_for_itself`, by the stub that an earlier turn made.
    #[rpc]
    async fn wait_for_itself_by_kept_stub(&mut self, ctx: &Ctx) -> Result<u32, Error> {
        let own = ctx.name().unwrap_or_default();
        let Some(stub) = self.kept.borrow().clone() else {
            return Err(Error::not_found("no stub is kept"));
        };
        Ok(stub.mark_other(own).await?)
    }
}

#[anchorhold::test]
async fn call_back_from_wait_until_waits_for_the_turn_that_began_it(sim: Sim) {
    let a = sim.objects::<Node>().named("a");
    a.work_beside("b".to_owned()).await.unwrap();
    sim.advance(Duration::from_secs(1)).await;
    assert_eq!(a.seen().await.unwrap(), (11, Vec::new()));
}

#[anchorhold::test]
async fn call_back_of_a_call_that_its_turn_gave_up_or_handed_over_waits_for_the_turn(sim: Sim) {
    let given_up = sim.objects::<Node>().named("given-up");
    given_up.give_up("b".to_owned()).await.unwrap();
    let handed_over = sim.objects::<Node>().named("handed-over");
    handed_over.hand_over("c".to_owned()).await.unwrap();
    sim.advance(Duration::from_secs(1)).await;
    for node in [given_up, handed_over] {
        assert_eq!(node.seen().await.unwrap(), (11, Vec::new()));
    }
}

/// The first turn waits for the second, which does not wait for the third.
#[anchorhold::test]
async fn call_back_waits_if_a_turn_between_has_handed_its_call_over(sim: Sim) {
    let a = sim.objects::<Node>().named("a");
    let ended = a.wait_for_one_that_hands_over("b".to_owned(), "c".to_owned());
    ended.await.unwrap();
    sim.advance(Duration::from_secs(1)).await;
    assert_eq!(a.seen().await.unwrap(), (11, Vec::new()));
}

#[anchorhold::test]
async fn call_back_that_its_turn_waits_for_is_a_cycle_with_any_stub(sim: Sim) {
    let a = sim.objects::<Node>().named("a");
    a.keep_stub("b".to_owned()).await.unwrap();
    let began = sim.now();
    for refused in [
        a.wait_for_itself("b".to_owned()).await,
        a.wait_for_itself_by_kept_stub().await,
    ] {
        let message = refused.unwrap_err().to_string();
        assert!(message.contains("Node \"a\".wait_for_itself"), "{message}");
        assert!(message.contains("Node \"b\".mark_other"), "{message}");
    }
    assert_eq!(sim.now(), began, "a cycle is found at once");
}
