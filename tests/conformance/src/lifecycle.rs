//! Activations: waking, failing, panicking, aborting.

use std::time::Duration;

use anchorhold::prelude::*;
use serde::{Deserialize, Serialize};

use crate::rpc::Outcome;

/// An object's knowledge of its activations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Life {
    pub value: i64,
    /// How often the object was brought into memory.
    pub lives: u64,
    /// How many events this activation has handled.
    pub seen: u64,
    /// What handlers wrote directly to storage.
    pub stored: Option<i64>,
}

/// Survives failures of every kind.
#[durable_object]
pub struct LifeProbe {
    value: i64,
    lives: u64,
    #[memory]
    seen: u64,
}

#[durable_object]
impl LifeProbe {
    #[init]
    fn wake(&mut self) {
        self.lives += 1;
    }

    #[rpc]
    #[get("/")]
    fn life(&mut self, ctx: &Ctx) -> Result<Life, StorageError> {
        self.seen += 1;
        let stored = ctx.storage().get("stored")?;
        Ok(Life {
            value: self.value,
            lives: self.lives,
            seen: self.seen,
            stored,
        })
    }

    #[get("/stored")]
    fn stored(&self, ctx: &Ctx) -> Result<Option<i64>, StorageError> {
        ctx.storage().get("stored")
    }

    #[rpc]
    #[post("/add")]
    fn add(&mut self, by: i64) -> i64 {
        self.value += by;
        self.value
    }

    #[rpc]
    #[post("/add-and-fail")]
    fn add_and_fail(&mut self, ctx: &Ctx, by: i64) -> Result<i64, Error> {
        self.value += by;
        ctx.storage().put("stored", &by)?;
        Err(Error::conflict("as_told", "the turn fails"))
    }

    #[rpc]
    #[post("/add-and-panic")]
    fn add_and_panic(&mut self, ctx: &Ctx, by: i64) -> Result<i64, Error> {
        self.value += by;
        ctx.storage().put("stored", &by)?;
        panic!("as told");
    }

    #[rpc]
    #[post("/add-wait-and-panic")]
    async fn add_wait_and_panic(&mut self, ctx: &Ctx, by: i64) -> i64 {
        self.value += by;
        ctx.sleep(Duration::from_millis(20)).await;
        panic!("as told");
    }

    #[rpc]
    #[post("/add-and-abort")]
    fn add_and_abort(&mut self, ctx: &Ctx, by: i64) -> Result<i64, Error> {
        self.value += by;
        ctx.storage().put("stored", &by)?;
        ctx.abort("as told")
    }

    /// Writes before and after a wait that is longer than every case. A crash may fall between the
    /// two.
    #[post("/write-wait-write")]
    async fn write_wait_write(&self, ctx: &Ctx) -> Result<(), StorageError> {
        ctx.storage().put("stored", &1)?;
        ctx.sleep(Duration::from_secs(600)).await;
        ctx.storage().put("stored", &2)
    }
}

/// How a starter's next activation begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Start {
    #[default]
    Succeed,
    Fail,
    /// Waits for this long, then succeeds.
    Slow {
        ms: u64,
    },
}

/// The setting of a switch, and how often it was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchState {
    pub start: Start,
    pub starts: u64,
}

/// Tells the starter with the same name how to begin. An activation that fails to begin cannot
/// store anything.
#[durable_object]
pub struct Switch {
    state: SwitchState,
}

#[durable_object]
impl Switch {
    #[put("/start")]
    fn set(&mut self, #[body] start: Start) {
        self.state.start = start;
    }

    #[get("/")]
    fn state(&self) -> SwitchState {
        self.state
    }

    #[rpc]
    fn begin(&mut self) -> Start {
        self.state.starts += 1;
        self.state.start
    }
}

/// Begins its activation as its switch says.
#[durable_object]
pub struct Starter {
    begun: u64,
}

#[durable_object]
impl Starter {
    #[init]
    async fn begin(&mut self, ctx: &Ctx) -> Result<(), Error> {
        let name = ctx.name().unwrap_or_default();
        match ctx.objects::<Switch>().named(&name).begin().await? {
            Start::Succeed => {}
            Start::Fail => return Err(Error::new(503, "not_today", "the start failed as told")),
            Start::Slow { ms } => ctx.sleep(Duration::from_millis(ms)).await,
        }
        self.begun += 1;
        Ok(())
    }

    #[rpc]
    #[get("/")]
    fn begun(&self) -> u64 {
        self.begun
    }
}

/// Calls a starter, and returns the result.
pub(crate) async fn call_starter(request: Request, env: Env) -> Result<Response, Error> {
    let name = request.query_value("name").unwrap_or_default();
    let outcome = env.objects::<Starter>().named(&name).begun().await;
    Response::json(200, &Outcome::of(outcome))
}

/// Makes a stub of a starter by its name and by its identifier, without calling it.
pub(crate) async fn unused_stub(request: Request, env: Env) -> Result<Response, Error> {
    let name = request.query_value("name").unwrap_or_default();
    let starters = env.objects::<Starter>();
    let id = starters.named(&name).id()?;
    drop(starters.id(&id));
    Ok(Response::empty(204))
}
