//! Sleeping: many concurrent sleepers, and long sleeps.

use std::cell::Cell;
use std::future::{Future, poll_fn, ready};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use anchorhold::prelude::*;
use serde::{Deserialize, Serialize};

/// The result of many sleeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slept {
    pub sleepers: usize,
    /// How many of them woke too early.
    pub early: usize,
}

/// Sleeps.
#[durable_object]
pub struct TimerProbe {}

/// Runs all sleeps at once, and counts those that end too early.
async fn sleep_all<S: Future<Output = ()>>(
    count: usize,
    length: Duration,
    sleep: impl Fn(Duration) -> S,
    now: impl Fn() -> Timestamp,
) -> Slept {
    let start = now().as_millis();
    let mut left: Vec<_> = (0..count).map(|_| Box::pin(sleep(length))).collect();
    let early = Cell::new(0);
    poll_fn(|context| {
        left.retain_mut(|sleep| {
            let over = sleep.as_mut().poll(context).is_ready();
            let slept = now().as_millis() - start;
            if over && slept < i64::try_from(length.as_millis()).unwrap_or(i64::MAX) {
                early.set(early.get() + 1);
            }
            !over
        });
        if left.is_empty() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    Slept {
        sleepers: count,
        early: early.get(),
    }
}

/// Whether a sleep outlasts a short one.
async fn outlasts<S: Future<Output = ()>>(length: Duration, sleep: impl Fn(Duration) -> S) -> bool {
    let (mut long, mut short) = (pin!(sleep(length)), pin!(sleep(Duration::from_millis(100))));
    poll_fn(|context| {
        if long.as_mut().poll(context).is_ready() {
            return Poll::Ready(false);
        }
        short.as_mut().poll(context).map(|()| true)
    })
    .await
}

const MOMENT: Duration = Duration::from_millis(50);
const HOUR: Duration = Duration::from_secs(3_600);

const LONG: [Duration; 5] = [
    Duration::from_secs(25 * 24 * 3_600),
    Duration::from_secs(50 * 24 * 3_600),
    Duration::from_secs(1 << 33),
    Duration::from_secs(1 << 53),
    Duration::MAX,
];

#[durable_object]
impl TimerProbe {
    #[get("/many")]
    async fn many(&self, ctx: &Ctx, count: usize, ms: u64) -> Slept {
        let length = Duration::from_millis(ms);
        sleep_all(count, length, |length| ctx.sleep(length), || ctx.now()).await
    }

    #[get("/long")]
    async fn long(&self, ctx: &Ctx) -> Vec<bool> {
        let mut outlasted = Vec::new();
        for length in LONG {
            outlasted.push(outlasts(length, |length| ctx.sleep(length)).await);
        }
        outlasted
    }

    #[get("/limited")]
    async fn limited(&self, ctx: &Ctx) -> [bool; 3] {
        [
            ctx.timeout(HOUR, ctx.sleep(MOMENT)).await.is_some(),
            ctx.timeout(MOMENT, ctx.sleep(HOUR)).await.is_some(),
            ctx.timeout(Duration::ZERO, ready(())).await.is_some(),
        ]
    }

    /// Blocks other turns for a while.
    #[rpc]
    async fn hold(&mut self, ctx: &Ctx, ms: u64) {
        ctx.sleep(Duration::from_millis(ms)).await;
    }

    #[rpc]
    fn touch(&self) {}

    /// Calls a busy object so often that its queue is longer than a platform's timers.
    #[post("/crowd")]
    async fn crowd(&self, ctx: &Ctx, at: &str, count: usize) -> Result<usize, Error> {
        let stub = ctx.objects::<Self>().named(at);
        let holds = stub.hold(1_500);
        let calls: Vec<_> = (0..count).map(|_| stub.touch()).collect();
        holds.await?;
        let mut failed = 0;
        for call in calls {
            failed += usize::from(call.await.is_err());
        }
        Ok(failed)
    }
}

/// Sleeps in the app.
pub(crate) async fn many(request: Request, env: Env) -> Result<Response, Error> {
    let number = |name| {
        let value = request.query_value(name)?;
        value.parse::<u32>().ok()
    };
    let count = usize::try_from(number("count").unwrap_or(1)).unwrap_or(1);
    let length = Duration::from_millis(number("ms").unwrap_or(1).into());
    let slept = sleep_all(count, length, |length| env.sleep(length), || env.now()).await;
    Response::json(200, &slept)
}

/// Limits the time of work in the app.
pub(crate) async fn limited(_: Request, env: Env) -> Result<Response, Error> {
    let in_time = [
        env.timeout(HOUR, env.sleep(MOMENT)).await.is_some(),
        env.timeout(MOMENT, env.sleep(HOUR)).await.is_some(),
        env.timeout(Duration::ZERO, ready(())).await.is_some(),
    ];
    Response::json(200, &in_time)
}

/// Sleeps for long in the app.
pub(crate) async fn long(_: Request, env: Env) -> Result<Response, Error> {
    let mut outlasted = Vec::new();
    for length in LONG {
        outlasted.push(outlasts(length, |length| env.sleep(length)).await);
    }
    Response::json(200, &outlasted)
}
