//! User code that panics at random: in handlers, guards and objects, at once, after an await, and
//! in `Drop`. A panic costs its own request or its own object, and the host goes on.

use std::time::Duration;

use anchorhold::prelude::*;
use anchorhold::{FaultKind, Faults, Visit};
use fastrand::Rng;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

use super::clients::{choices, heal};

const CALLERS: u64 = 3;
const REQUESTS: usize = 10;
const MOMENT: Duration = Duration::from_millis(3);

/// Where the code of a request or a turn panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Place {
    Nowhere,
    AtOnce,
    AfterAnAwait,
    /// In the `Drop` of what the code holds across an await.
    InDrop,
}

impl Place {
    const ALL: [Self; 4] = [
        Self::Nowhere,
        Self::AtOnce,
        Self::AfterAnAwait,
        Self::InDrop,
    ];

    fn chosen(choices: &mut Rng) -> Self {
        Self::ALL[choices.usize(0..Self::ALL.len())]
    }

    fn of_name(name: &str) -> Self {
        let mut places = Self::ALL.into_iter();
        let named = places.find(|place| format!("{place:?}") == name);
        named.unwrap_or(Self::Nowhere)
    }

    fn reached(self, here: Self) {
        assert!(self != here, "as told");
    }

    /// Code that waits, and panics at this place.
    async fn work(self, env: &Env) {
        self.reached(Self::AtOnce);
        let _held = Held(self == Self::InDrop);
        env.sleep(MOMENT).await;
        self.reached(Self::AfterAnAwait);
    }
}

/// Panics when it is dropped, if it is told to.
#[derive(Default)]
struct Held(bool);

impl Drop for Held {
    fn drop(&mut self) {
        // A second panic during a first one would end the process.
        assert!(!self.0 || std::thread::panicking(), "as told");
    }
}

#[durable_object]
struct Fragile {
    count: u32,
    /// Dropped when the object leaves memory.
    #[memory]
    held: Held,
}

#[durable_object]
impl Fragile {
    #[rpc]
    async fn count(&mut self, ctx: &Ctx, place: Place, behind: Place) -> u32 {
        let env = ctx.env();
        ctx.wait_until(async move { behind.work(&env).await });
        place.work(&ctx.env()).await;
        self.count += 1;
        self.count
    }

    #[rpc]
    fn hold(&mut self) {
        self.held.0 = true;
    }

    #[get("/")]
    fn counted(&self) -> u32 {
        self.count
    }
}

/// A name is where the guard panics.
async fn guard(visit: Visit) -> Result<Visit, Error> {
    Place::of_name(&visit.name).work(&visit.env).await;
    Ok(visit)
}

fn app() -> App {
    App::new()
        .get("/work/{place}", async |request: Request, env: Env| {
            let path = request.path();
            let place = Place::of_name(path.rsplit('/').next().unwrap_or_default());
            place.work(&env).await;
            Ok(Response::empty(204))
        })
        .mount::<Fragile>("/fragile/{name}")
        .guard(guard)
}

/// Whether a client stays until its request is answered.
async fn stays<T>(choices: &mut Rng, request: impl Future<Output = T>) -> Option<T> {
    if choices.u8(0..4) > 0 {
        return Some(request.await);
    }
    let patience = Duration::from_millis(choices.u64(0..6));
    tokio::time::timeout(patience, request).await.ok()
}

async fn caller(sim: &Sim, number: u64) {
    let mut choices = choices(sim, number);
    for _ in 0..REQUESTS {
        let place = Place::chosen(&mut choices);
        let fragile = sim
            .objects::<Fragile>()
            .named(["a", "b"][choices.usize(0..2)]);
        match choices.u8(0..5) {
            0 => drop(fragile.hold().await),
            1 => {
                let behind = Place::chosen(&mut choices);
                let call = fragile.count(place, behind);
                if let Some(Ok(_)) = stays(&mut choices, call).await {
                    assert_eq!(place, Place::Nowhere, "the turn panicked");
                }
            }
            kind => {
                let path = match kind {
                    2 | 3 => format!("/work/{place:?}"),
                    _ => format!("/fragile/{place:?}"),
                };
                let request = sim.fetch(Request::new("GET", &path));
                let Some(response) = stays(&mut choices, request).await else {
                    continue;
                };
                let status = response.status();
                let is_expected = match place {
                    Place::Nowhere => status < 300,
                    _ => status == 500,
                };
                assert!(is_expected, "{path} was answered with {status}");
            }
        }
        if choices.u8(0..3) == 0 {
            let pause = Duration::from_millis(choices.u64(0..20_000));
            sim.env().sleep(pause).await;
        }
    }
}

#[anchorhold::test(
    seed = 1,
    seeds = 100,
    faults = Faults::none()
        .one_in(10, FaultKind::Eviction)
        .one_in(20, FaultKind::SlowReply)
        .one_in(20, FaultKind::SlowDisk)
)]
async fn panic_costs_its_own_request_or_its_own_object(sim: Sim) {
    sim.app(app());
    join_all((0..CALLERS).map(|number| caller(&sim, number))).await;
    heal(&sim).await;
    for name in ["a", "b"] {
        let fragile = sim.objects::<Fragile>().named(name);
        let counted = fragile.count(Place::Nowhere, Place::Nowhere).await;
        assert!(counted.is_ok(), "{name} does not answer: {counted:?}");
        sim.evict(&fragile).await;
    }
    let response = sim.fetch(Request::new("GET", "/work/Nowhere")).await;
    assert_eq!(response.status(), 204);
}
