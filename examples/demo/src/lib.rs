//! anchorhold's demo app: the same source serves HTTP on the embedded host and on Cloudflare Workers.

pub use anchorhold::objects::{ChatRoom, Counter, Lock, RateLimiter, ScheduledTask, SocketHub};
use anchorhold::prelude::*;
use serde::Serialize;

#[derive(Serialize)]
struct Created {
    id: ObjectId<Counter>,
}

/// The objects and the paths that lead to them.
#[anchorhold::app]
pub fn app() -> App {
    App::new()
        .mount::<Counter>("/counters/{name}")
        .mount::<Counter>("/scratch/{id}")
        .mount_sharded::<RateLimiter>("/limits/{key}", 16)
        .mount::<Lock>("/locks/{name}")
        .mount::<ChatRoom>("/rooms/{name}")
        .mount::<ScheduledTask>("/tasks/{name}")
        .mount::<SocketHub>("/hubs/{name}")
        .post("/scratch", async |_, env| {
            let id = env.objects::<Counter>().unique().id()?;
            Response::json(201, &Created { id })
        })
        .get("/healthz", async |_, _| Ok(Response::text(200, "ok")))
        .assets("public")
}

/// The README's examples, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
