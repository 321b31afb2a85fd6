//! Calls between objects: order, sizes, errors, cycles.

use std::time::Duration;

use anchorhold::prelude::*;
use serde::{Deserialize, Serialize};

/// One stop of a call that is relayed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hop {
    pub to: String,
    pub exclusive: bool,
    /// How long the previous object waits before it relays the call.
    #[serde(default)]
    pub after_ms: u64,
}

/// The result of a call, in a form that HTTP can carry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    Returned(String),
    Failed {
        kind: String,
        message: String,
        retryable: bool,
    },
}

impl Outcome {
    pub(crate) fn of<T: ToString, E: std::fmt::Display>(result: Result<T, CallError<E>>) -> Self {
        match result {
            Ok(value) => Self::Returned(value.to_string()),
            Err(error) => Self::Failed {
                kind: kind(&error).to_owned(),
                message: error.to_string(),
                retryable: error.is_retryable(),
            },
        }
    }
}

pub(crate) fn kind<E>(error: &CallError<E>) -> &'static str {
    match error {
        CallError::Application(_) => "application",
        CallError::Start(_) => "start",
        CallError::Overloaded(_) => "overloaded",
        CallError::Reset(_) => "reset",
        CallError::Disconnected(_) => "disconnected",
        CallError::NoSuchMethod(_) => "no_such_method",
        CallError::Undecodable(_) => "undecodable",
        CallError::TimedOut(_) => "timed_out",
        CallError::CallCycle(_) => "call_cycle",
        CallError::Storage(_) => "storage",
        CallError::Configuration(_) => "configuration",
        _ => "other",
    }
}

/// An error with its own structure, which a call must preserve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    Short { balance: i64, asked: i64 },
}

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self::Short { balance, asked } = self;
        write!(formatter, "the balance is {balance}, less than {asked}")
    }
}

impl ObjectError for Failure {
    fn status(&self) -> u16 {
        409
    }
    fn code(&self) -> std::borrow::Cow<'_, str> {
        "short".into()
    }
}

/// Calls others of its class, and is called.
#[durable_object]
pub struct Peer {
    heard: Vec<u64>,
}

#[durable_object]
impl Peer {
    #[rpc]
    #[post("/hear")]
    fn hear(&mut self, number: u64) -> u64 {
        self.heard.push(number);
        number
    }

    #[get("/heard")]
    fn heard(&self) -> Vec<u64> {
        self.heard.clone()
    }

    #[rpc]
    #[post("/withdraw")]
    fn withdraw(&mut self, asked: i64) -> Result<i64, Failure> {
        if asked > 10 {
            Err(Failure::Short { balance: 10, asked })
        } else {
            Ok(10 - asked)
        }
    }

    #[rpc]
    fn weigh(&self, bytes: String) -> usize {
        bytes.len()
    }

    #[rpc]
    fn make(&self, bytes: usize) -> String {
        "x".repeat(bytes)
    }

    #[rpc]
    fn die(&self, ctx: &Ctx) -> u64 {
        ctx.abort("as told")
    }

    /// Relays the call to the next stop. The last one answers.
    #[rpc]
    #[post("/relay")]
    async fn relay(&self, ctx: &Ctx, route: Vec<Hop>) -> Result<String, Error> {
        Self::go_on(ctx, route).await
    }

    /// Like `relay`, but blocks every other turn of this object.
    #[rpc]
    #[post("/relay-exclusively")]
    async fn relay_exclusively(&mut self, ctx: &Ctx, route: Vec<Hop>) -> Result<String, Error> {
        Self::go_on(ctx, route).await
    }

    /// Sends a request to another object or to itself, and waits for it. Returns its status.
    #[post("/ask-exclusively")]
    async fn ask_exclusively(&mut self, ctx: &Ctx, whom: String) -> Result<u16, Error> {
        let whom = ctx.objects::<Self>().named(&whom);
        Ok(whom.fetch(Request::new("GET", "/heard")).await?.status())
    }

    async fn go_on(ctx: &Ctx, mut route: Vec<Hop>) -> Result<String, Error> {
        if route.is_empty() {
            return Ok(ctx.name().unwrap_or_default());
        }
        let Hop {
            to,
            exclusive,
            after_ms,
        } = route.remove(0);
        ctx.sleep(Duration::from_millis(after_ms)).await;
        let next = ctx.objects::<Peer>().named(&to);
        let answer = if exclusive {
            next.relay_exclusively(route).await
        } else {
            next.relay(route).await
        };
        Ok(answer?)
    }

    /// Makes calls without waiting in between, over one stub.
    #[post("/tell-many")]
    async fn tell_many(&self, ctx: &Ctx, to: &str, count: u64) -> Result<(), Error> {
        let stub = ctx.objects::<Peer>().named(to);
        let calls: Vec<_> = (0..count).map(|number| stub.hear(number)).collect();
        for call in calls {
            call.await?;
        }
        Ok(())
    }

    /// Makes the other object abort, and calls again over the same stub.
    #[post("/kill-and-call")]
    async fn kill_and_call(&self, ctx: &Ctx, to: &str) -> Vec<Outcome> {
        let stub = ctx.objects::<Peer>().named(to);
        vec![
            Outcome::of(stub.die().await),
            Outcome::of(stub.hear(1).await),
        ]
    }

    #[post("/withdraw-from")]
    async fn withdraw_from(&self, ctx: &Ctx, from: &str, asked: i64) -> Result<Failure, Error> {
        match ctx.objects::<Peer>().named(from).withdraw(asked).await {
            Err(CallError::Application(failure)) => Ok(failure),
            other => Err(Error::internal(format!(
                "expected the error of the method, got {other:?}"
            ))),
        }
    }

    #[post("/send-to")]
    async fn send_to(&self, ctx: &Ctx, to: &str, bytes: usize) -> Outcome {
        Outcome::of(
            ctx.objects::<Peer>()
                .named(to)
                .weigh("x".repeat(bytes))
                .await,
        )
    }

    #[post("/fetch-from")]
    async fn fetch_from(&self, ctx: &Ctx, from: &str, bytes: usize) -> Outcome {
        Outcome::of(
            ctx.objects::<Peer>()
                .named(from)
                .make(bytes)
                .await
                .map(|text| text.len()),
        )
    }

    /// Calls an object whose turns are occupied for longer than a call waits.
    #[post("/queue-at")]
    async fn queue_at(&self, ctx: &Ctx, to: &str) -> Outcome {
        Outcome::of(
            ctx.objects::<crate::TurnProbe>()
                .named(to)
                .atomic("queued".to_owned())
                .await,
        )
    }
}
