//! Turns: which of them overlap, and in which order they start.

use std::time::Duration;

use anchorhold::prelude::*;
use serde::{Deserialize, Serialize};

/// One turn, by the object's own count of starts and ends.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Span {
    pub label: String,
    pub start: u64,
    pub end: u64,
}

/// Runs turns of every kind and records their spans.
#[durable_object]
pub struct TurnProbe {
    value: i64,
    spans: Vec<Span>,
    #[memory]
    clock: u64,
}

#[durable_object]
impl TurnProbe {
    /// Reads, waits, and writes the value plus one. With other turns in between, counts are lost.
    #[rpc]
    #[post("/exclusive")]
    async fn exclusive(&mut self, ctx: &Ctx, label: String, pause_ms: u64) -> i64 {
        let start = self.tick();
        let read = self.value;
        ctx.sleep(Duration::from_millis(pause_ms)).await;
        self.value = read + 1;
        let end = self.tick();
        self.spans.push(Span { label, start, end });
        self.value
    }

    #[rpc]
    #[post("/atomic")]
    fn atomic(&mut self, label: String) -> i64 {
        let start = self.tick();
        self.value += 1;
        let end = self.tick();
        self.spans.push(Span { label, start, end });
        self.value
    }

    /// Announces itself, and waits until the other has. Two of these can only end together.
    #[rpc]
    #[post("/meet")]
    async fn meet(&self, ctx: &Ctx, me: String, other: String) -> Result<bool, StorageError> {
        let storage = ctx.storage();
        storage.put(&format!("here/{me}"), &true)?;
        for _ in 0..200 {
            if storage.get::<bool>(&format!("here/{other}"))?.is_some() {
                return Ok(true);
            }
            ctx.sleep(Duration::from_millis(25)).await;
        }
        Ok(false)
    }

    /// Announces itself, and stays for a while.
    #[post("/linger")]
    async fn linger(&self, ctx: &Ctx, me: String, pause_ms: u64) -> Result<(), StorageError> {
        ctx.storage().put(&format!("here/{me}"), &true)?;
        ctx.sleep(Duration::from_millis(pause_ms)).await;
        ctx.storage().put(&format!("gone/{me}"), &true)
    }

    #[get("/seen")]
    fn seen(&self, ctx: &Ctx, what: String) -> Result<bool, StorageError> {
        Ok(ctx.storage().get::<bool>(&what)?.is_some())
    }

    /// An exclusive turn that waits in vain for another turn of the same object.
    #[rpc]
    #[post("/meet-exclusively")]
    async fn meet_exclusively(
        &mut self,
        ctx: &Ctx,
        other: String,
        patience_ms: u64,
    ) -> Result<bool, StorageError> {
        ctx.sleep(Duration::from_millis(patience_ms)).await;
        Ok(ctx
            .storage()
            .get::<bool>(&format!("here/{other}"))?
            .is_some())
    }

    /// Makes another probe run exclusive turns, all sent at once over one stub.
    #[post("/send-many")]
    async fn send_many(
        &self,
        ctx: &Ctx,
        to: &str,
        count: usize,
        pause_ms: u64,
    ) -> Result<(), Error> {
        let stub = ctx.objects::<TurnProbe>().named(to);
        let calls: Vec<_> = (0..count)
            .map(|number| stub.exclusive(number.to_string(), pause_ms))
            .collect();
        for call in calls {
            call.await?;
        }
        Ok(())
    }

    #[get("/spans")]
    fn spans(&self) -> Vec<Span> {
        self.spans.clone()
    }

    #[get("/value")]
    fn value(&self) -> i64 {
        self.value
    }

    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }
}
