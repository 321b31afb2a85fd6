//! anchorhold's demo app: the same source serves HTTP on the embedded host and on Cloudflare Workers.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use anchorhold::Visit;
use anchorhold::objects::chat_room::Settings;
use anchorhold::objects::rate_limiter::{Check, Rule};
pub use anchorhold::objects::{ChatRoom, Counter, Lock, RateLimiter, ScheduledTask, SocketHub};
use anchorhold::prelude::*;
use serde::Serialize;

#[derive(Serialize)]
struct Created {
    id: ObjectId<Counter>,
}

/// The keys of the limiter are spread over this number of objects.
const LIMITERS: u32 = 16;

/// The page shows a limiter whose limits its visitors choose and reset. An app that is protected by
/// a limiter writes its limits in its code, and has no such routes.
async fn check_limit(mut request: Request, env: Env) -> Result<Response, Error> {
    let key = request.path_value("key").unwrap_or_default().to_owned();
    let check = Check::from_body(&key, &mut request).await?;
    let name = match &check.rule {
        Rule::Given(policy) => policy.algorithm.name().to_owned(),
        Rule::Limit { name, .. } | Rule::Named(name) => name.clone(),
    };
    let limiter = env.objects::<RateLimiter>().sharded(&key, LIMITERS);
    let decision = limiter.check(check).await?;
    let status = if decision.allowed { 200 } else { 429 };
    Ok(decision.tell(Response::json(status, &decision)?, &name))
}

async fn reset_limits(request: Request, env: Env) -> Result<Response, Error> {
    let key = request.path_value("key").unwrap_or_default();
    env.objects::<RateLimiter>()
        .sharded(key, LIMITERS)
        .reset(key)
        .await?;
    Ok(Response::empty(204))
}

/// The rooms whose limits have been raised, as far as this thread or isolate remembers.
type Raised = Rc<RefCell<BTreeSet<String>>>;

/// Raises the rate limit of a room before the first message, because the demo is also what the
/// load tests talk to. A room in a product keeps its limit.
async fn raise_room_limit(visit: Visit, raised: Raised) -> Result<Visit, Error> {
    let writes = visit.request.method() == "POST" || visit.request.header("upgrade").is_some();
    // A path without a route leaves nothing behind.
    let writes = writes && visit.route.is_some();
    if visit.class != ChatRoom::CLASS || !writes || raised.borrow().contains(&visit.name) {
        return Ok(visit);
    }
    let room = visit.env.objects::<ChatRoom>().named(&visit.name);
    if room.settings().await? == Settings::default() {
        let settings = Settings {
            rate_limit: 10_000,
            rate_window_ms: 100_000,
            ..Settings::default()
        };
        room.configure(settings).await?;
    }
    let mut raised = raised.borrow_mut();
    if raised.len() >= 1_024 {
        raised.clear();
    }
    raised.insert(visit.name.clone());
    drop(raised);
    Ok(visit)
}

/// Adds the guard that raises the limits of rooms.
pub fn with_raised_room_limits(app: App) -> App {
    let raised = Raised::default();
    app.guard(move |visit| raise_room_limit(visit, raised.clone()))
}

/// The objects and the paths that lead to them.
#[anchorhold::app]
pub fn app() -> App {
    with_raised_room_limits(App::new())
        .mount::<Counter>("/counters/{name}")
        .mount::<Counter>("/scratch/{id}")
        .mount_sharded::<RateLimiter>("/limits/{key}", LIMITERS)
        .post("/limits/{key}/check", check_limit)
        .delete("/limits/{key}", reset_limits)
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
