//! Starts that fail at random, between evictions, crashes and bad deployments: each start that succeeds has written
//! once, and one that failed has written nothing.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use anchorhold::prelude::*;
use anchorhold::{FaultKind, Faults};
use fastrand::Rng;
use serde::{Deserialize, Serialize};

use super::clients::{choices, heal};

/// Two objects that start at once, and two that wait while they start.
const NAMES: [&str; 4] = ["a", "b", "c", "d"];
const STEPS: usize = 30;
const MOMENT: Duration = Duration::from_millis(10);

/// What decides how starts end, and how many of each object have succeeded.
struct Starts {
    choices: Rng,
    succeeded: BTreeMap<String, u32>,
    is_over: bool,
}

thread_local! {
    static STARTS: RefCell<Option<Starts>> = const { RefCell::new(None) };
}

fn with_starts<T>(act: impl FnOnce(&mut Starts) -> T) -> T {
    STARTS.with_borrow_mut(|starts| act(starts.as_mut().expect("set at the beginning")))
}

/// What the starts of an object have written, place by place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Written {
    field: u32,
    key: u32,
    rows: u32,
}

fn written(ctx: &Ctx, field: u32) -> Result<Written, Error> {
    let rows: Vec<u32> = ctx
        .storage()
        .sql()
        .query("SELECT count(*) FROM start", ())?;
    Ok(Written {
        field,
        key: ctx.storage().get("key")?.unwrap_or(0),
        rows: rows[0],
    })
}

/// One start.
fn start(ctx: &Ctx, field: &mut u32) -> Result<(), Error> {
    let before = written(ctx, *field)?;
    ctx.storage().put("key", &(before.key + 1))?;
    ctx.storage()
        .sql()
        .execute("INSERT INTO start VALUES (?)", (before.rows,))?;
    *field += 1;
    let ending = with_starts(|starts| {
        if starts.is_over {
            9
        } else {
            starts.choices.u8(0..9)
        }
    });
    match ending {
        0 | 1 => return Err(Error::conflict("as_told", "as told")),
        2 => panic!("as told"),
        3 => ctx.abort("as told"),
        _ => {}
    }
    let name = ctx.name().unwrap_or_default();
    with_starts(|starts| *starts.succeeded.entry(name).or_default() += 1);
    Ok(())
}

/// Starts at once.
#[durable_object(migrations = ["CREATE TABLE start (number INTEGER)"])]
struct AtOnce {
    starts: u32,
    value: u32,
}

#[durable_object]
impl AtOnce {
    #[init]
    fn begin(&mut self, ctx: &Ctx) -> Result<(), Error> {
        start(ctx, &mut self.starts)
    }

    #[rpc]
    fn written(&self, ctx: &Ctx) -> Result<Written, Error> {
        written(ctx, self.starts)
    }

    #[rpc]
    fn add(&mut self, ctx: &Ctx) -> Result<Written, Error> {
        self.value += 1;
        written(ctx, self.starts)
    }
}

/// Waits while it starts.
#[durable_object(migrations = ["CREATE TABLE start (number INTEGER)"])]
struct InTime {
    starts: u32,
    value: u32,
}

#[durable_object]
impl InTime {
    #[init]
    async fn begin(&mut self, ctx: &Ctx) -> Result<(), Error> {
        ctx.sleep(MOMENT).await;
        start(ctx, &mut self.starts)
    }

    #[rpc]
    fn written(&self, ctx: &Ctx) -> Result<Written, Error> {
        written(ctx, self.starts)
    }

    #[rpc]
    fn add(&mut self, ctx: &Ctx) -> Result<Written, Error> {
        self.value += 1;
        written(ctx, self.starts)
    }
}

/// A version with migrations of which the last one fails.
mod broken {
    use anchorhold::prelude::*;

    #[durable_object(migrations = [
        "CREATE TABLE start (number INTEGER)",
        "INSERT INTO start VALUES (7)",
        "INSERT INTO missing VALUES (7)",
    ])]
    pub struct AtOnce {}

    #[durable_object]
    impl AtOnce {
        #[rpc]
        pub fn written(&self) -> bool {
            true
        }
    }
}

/// Deploys the broken version for a while.
async fn deploy_broken(sim: &Sim, name: &str) {
    sim.deploy(App::new().object::<broken::AtOnce>()).await;
    let started = sim.objects::<broken::AtOnce>().named(name).written().await;
    started.expect_err("its migrations fail");
    sim.advance(MOMENT).await;
    sim.deploy(app()).await;
}

fn app() -> App {
    App::new().object::<AtOnce>().object::<InTime>()
}

/// What a caller knows of one object.
#[derive(Default)]
struct Known {
    starts: u32,
    succeeded: u32,
}

impl Known {
    fn check(&mut self, name: &str, written: Written) {
        let Written { field, key, rows } = written;
        assert!(field == key && key == rows, "{name} has {written:?}");
        let succeeded = with_starts(|starts| starts.succeeded.get(name).copied().unwrap_or(0));
        let since = succeeded - self.succeeded;
        assert!(
            field >= self.starts && field <= self.starts + since,
            "{name} had {} starts, {since} have succeeded since, and it has {field}",
            self.starts
        );
        *self = Self {
            starts: field,
            succeeded,
        };
    }
}

async fn run(sim: &Sim) {
    STARTS.set(Some(Starts {
        choices: choices(sim, 1),
        succeeded: BTreeMap::new(),
        is_over: false,
    }));
    let mut choices = choices(sim, 0);
    let mut known: BTreeMap<&str, Known> = BTreeMap::new();
    sim.deploy(app()).await;
    for step in 0..STEPS {
        if step + NAMES.len() == STEPS {
            with_starts(|starts| starts.is_over = true);
            heal(sim).await;
        }
        let name = NAMES[step % NAMES.len()];
        let ended = match (name, choices.bool()) {
            ("a" | "b", true) => sim.objects::<AtOnce>().named(name).add().await,
            ("a" | "b", false) => sim.objects::<AtOnce>().named(name).written().await,
            (_, true) => sim.objects::<InTime>().named(name).add().await,
            (_, false) => sim.objects::<InTime>().named(name).written().await,
        };
        match ended {
            Ok(written) => known.entry(name).or_default().check(name, written),
            Err(CallError::Application(error)) => panic!("{error}"),
            Err(error) => assert!(!with_starts(|starts| starts.is_over), "{error}"),
        }
        match choices.u8(0..6) {
            0 => sim.crash().await,
            1 => sim.advance(Duration::from_secs(choices.u64(0..20))).await,
            2 => deploy_broken(sim, ["a", "b"][choices.usize(0..2)]).await,
            _ => {}
        }
    }
}

#[anchorhold::test(seed = 1, seeds = 100, faults = Faults::none().one_in(4, FaultKind::Eviction))]
async fn start_that_fails_leaves_nothing(sim: Sim) {
    run(&sim).await;
}

#[anchorhold::test(seed = 1, seeds = 100, faults = Faults::all())]
async fn start_that_fails_leaves_nothing_under_all_faults(sim: Sim) {
    run(&sim).await;
}
