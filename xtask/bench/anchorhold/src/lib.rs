//! The benchmark's counters, written with anchorhold.

use anchorhold::prelude::*;

/// A counter in storage.
#[durable_object]
pub struct DurableCounter {
    value: i64,
}

#[durable_object]
impl DurableCounter {
    #[rpc]
    #[post("/increment")]
    fn increment(&mut self, by: i64) -> i64 {
        self.value += by;
        self.value
    }
}

/// A counter in memory.
#[durable_object]
pub struct MemoryCounter {
    #[memory]
    value: i64,
}

#[durable_object]
impl MemoryCounter {
    #[rpc]
    #[post("/increment")]
    fn increment(&mut self, by: i64) -> i64 {
        self.value += by;
        self.value
    }
}

/// The same paths as the other programs of the benchmark; the memory counter is called by RPC.
#[anchorhold::app]
pub fn app() -> App {
    App::new()
        .mount::<DurableCounter>("/durable/{name}")
        .object::<MemoryCounter>()
        .post("/memory/increment", async |_, env| {
            let value = env
                .objects::<MemoryCounter>()
                .named("a")
                .increment(1)
                .await?;
            Response::json(200, &value)
        })
}
