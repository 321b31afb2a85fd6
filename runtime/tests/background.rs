//! Work in the background and the memory of its object.

use std::time::Duration;

use anchorhold::prelude::*;

/// Longer than an idle object stays in memory.
const LONG: Duration = Duration::from_secs(60);

#[durable_object]
struct Worker {
    #[memory]
    seen: u64,
}

#[durable_object]
impl Worker {
    #[rpc]
    fn see(&mut self) -> u64 {
        self.seen += 1;
        self.seen
    }

    #[rpc]
    fn work_for_long(&self, ctx: &Ctx) {
        ctx.wait_until(ctx.sleep(LONG));
    }
}

#[anchorhold::test]
async fn work_in_the_background_keeps_its_object_in_memory(sim: Sim) {
    let worker = sim.objects::<Worker>().named("a");
    assert_eq!(worker.see().await.unwrap(), 1);
    worker.work_for_long().await.unwrap();
    sim.advance(LONG - Duration::from_secs(1)).await;
    assert_eq!(worker.see().await.unwrap(), 2);
    sim.advance(LONG).await;
    assert_eq!(worker.see().await.unwrap(), 1, "it left when it was idle");
}
