//! The benchmark's objects as one writes them with workers-rs alone: `fetch`, JSON, asynchronous storage.
#![cfg(target_arch = "wasm32")]

#[path = "../../anchorhold/src/diff.rs"]
mod diff;

use std::cell::Cell;

use serde::{Deserialize, Serialize};
use worker::{
    Context, DurableObject, Env, Method, Request, Response, Result, State, durable_object, event,
};

#[derive(Deserialize)]
struct Increment {
    by: i64,
}

/// A counter in storage.
#[durable_object]
pub struct DurableCounter {
    state: State,
}

impl DurableObject for DurableCounter {
    fn new(state: State, _: Env) -> Self {
        Self { state }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        if request.method() != Method::Post || !request.path().ends_with("/increment") {
            return Response::error("not found", 404);
        }
        let Increment { by } = request.json().await?;
        let storage = self.state.storage();
        let value = storage.get::<i64>("value").await?.unwrap_or(0) + by;
        storage.put("value", value).await?;
        Response::from_json(&value)
    }
}

/// A counter in memory.
#[durable_object]
pub struct MemoryCounter {
    value: Cell<i64>,
}

impl DurableObject for MemoryCounter {
    fn new(_: State, _: Env) -> Self {
        Self {
            value: Cell::new(0),
        }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let Increment { by } = request.json().await?;
        self.value.set(self.value.get() + by);
        Response::from_json(&self.value.get())
    }
}

/// One message of a page of chat.
#[derive(Serialize, Deserialize)]
struct Message {
    id: u64,
    user: String,
    text: String,
    at: u64,
}

#[derive(Deserialize)]
struct Texts {
    before: String,
    after: String,
}

/// Calls that cost their arguments and their work, not their storage.
#[durable_object]
pub struct Worker {}

impl DurableObject for Worker {
    fn new(_: State, _: Env) -> Self {
        Self {}
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        if request.path() == "/page" {
            let messages: Vec<Message> = request.json().await?;
            return Response::from_json(&messages);
        }
        let Texts { before, after } = request.json().await?;
        Response::from_json(&diff::common_lines(&before, &after))
    }
}

#[event(fetch)]
async fn fetch(request: Request, env: Env, _: Context) -> Result<Response> {
    let path = request.path();
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match segments.as_slice() {
        ["durable", name, "increment"] => {
            let stub = env.durable_object("DURABLE_COUNTER")?.get_by_name(name)?;
            stub.fetch_with_request(request).await
        }
        ["page"] | ["work", _, "common"] => {
            let stub = env.durable_object("WORKER")?.get_by_name("a")?;
            stub.fetch_with_request(request).await
        }
        ["memory", "increment"] => {
            let stub = env.durable_object("MEMORY_COUNTER")?.get_by_name("a")?;
            stub.fetch_with_request(request).await
        }
        _ => Response::error("not found", 404),
    }
}
