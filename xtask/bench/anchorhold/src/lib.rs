//! The benchmark's objects, written with anchorhold.

mod diff;

use anchorhold::prelude::*;
use serde::{Deserialize, Serialize};

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

/// One message of a page of chat.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Message {
    id: u64,
    user: String,
    text: String,
    at: u64,
}

/// Calls that cost their arguments and their work, not their storage.
#[durable_object]
pub struct Worker {}

#[durable_object]
impl Worker {
    /// Returns the page that it is sent.
    #[rpc]
    fn page(&self, messages: Vec<Message>) -> Vec<Message> {
        messages
    }

    /// Returns the number of lines that two texts have in common, in their order.
    #[post("/common")]
    fn common(&self, before: String, after: String) -> usize {
        diff::common_lines(&before, &after)
    }
}

/// The same paths as the other programs of the benchmark. The memory counter and the page are
/// called by RPC.
#[anchorhold::app]
pub fn app() -> App {
    let app = App::new()
        .mount::<DurableCounter>("/durable/{name}")
        .mount::<Worker>("/work/{name}")
        .object::<MemoryCounter>()
        .post("/memory/increment", async |_, env| {
            let value = env
                .objects::<MemoryCounter>()
                .named("a")
                .increment(1)
                .await?;
            Response::json(200, &value)
        })
        .post("/page", async |mut request, env| {
            let messages: Vec<Message> = request.json().await?;
            let page = env.objects::<Worker>().named("a").page(messages).await?;
            Response::json(200, &page)
        });
    #[cfg(not(target_arch = "wasm32"))]
    let app = embedded::routes(app);
    app
}

/// What only the embedded host is measured by.
#[cfg(not(target_arch = "wasm32"))]
mod embedded;
