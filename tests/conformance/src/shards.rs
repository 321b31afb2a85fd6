//! Keys distributed over few objects, and waiting outside objects.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use anchorhold::prelude::*;
use serde::{Deserialize, Serialize};

/// How many objects share the keys.
pub const SHARDS: u32 = 7;

/// The object that was reached, and the path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    pub shard: Option<String>,
    pub key: String,
}

/// The result of a race between a call and a sleep of the app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Race {
    pub answered: bool,
    pub took_ms: u64,
}

/// Returns its identity.
#[durable_object]
pub struct ShardProbe {}

#[durable_object]
impl ShardProbe {
    /// Is sent as a call on workerd.
    #[rpc]
    #[get("/{key}/bound")]
    fn bound(&self, ctx: &Ctx, key: String) -> Reached {
        Reached {
            shard: ctx.name(),
            key,
        }
    }

    /// Is passed on unchanged on workerd, with the path of the mount.
    #[post("/{key}/raw")]
    async fn raw(&self, ctx: &Ctx, key: String, request: Request) -> Result<Response, Error> {
        let reached = Reached {
            shard: ctx.name(),
            key: format!("{key} {} {}", request.path(), request.query()),
        };
        Response::json(200, &reached)
    }

    #[rpc]
    async fn linger(&self, ctx: &Ctx, millis: u64) {
        ctx.sleep(Duration::from_millis(millis)).await;
    }
}

/// Waits for an object that takes `object_ms`, for at most `app_ms`.
pub(crate) async fn race(request: Request, env: Env) -> Result<Response, Error> {
    let millis = |name| {
        let value = request.query_value(name);
        value.and_then(|value| value.parse().ok()).unwrap_or(0)
    };
    let start = env.now();
    let probe = env.objects::<ShardProbe>().sharded("race", SHARDS);
    let mut answer = pin!(probe.linger(millis("object_ms")));
    let mut over = pin!(env.sleep(Duration::from_millis(millis("app_ms"))));
    let answered = poll_fn(|context| {
        if let Poll::Ready(result) = answer.as_mut().poll(context) {
            return Poll::Ready(result.map(|()| true));
        }
        over.as_mut().poll(context).map(|()| Ok(false))
    });
    let answered = answered.await?;
    let took = env.now() - start;
    let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    Response::json(200, &Race { answered, took_ms })
}
