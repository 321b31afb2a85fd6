//! The objects that the conformance cases use. This is an ordinary app: it uses only the public
//! API, and the same source runs on both hosts.
//!
//! A probe does what a case instructs and reports what it observes. Only the case knows what is
//! correct. If a probe must remember something across a failed turn, it writes it to storage
//! itself, because stored fields are rolled back.

mod adopted;
mod alarms;
mod answers;
mod contexts;
mod deaths;
pub mod differential;
mod doors;
mod ends;
mod gates;
mod ids;
mod libraries;
mod lifecycle;
mod locks;
mod rpc;
mod shards;
mod sockets;
mod storage;
mod streams;
mod timers;
mod transactions;
mod turns;

pub use anchorhold::objects::Lock;
use anchorhold::prelude::*;

pub use adopted::{Adopted, Contents, Profile};
pub use alarms::{AlarmProbe, Conduct, Planned, Ring};
pub use answers::{AnswerProbe, Deaf, Fetched, Odd};
pub use contexts::Keeper;
pub use deaths::{Death, Holding, Mortal};
pub use differential::Differential;
pub use doors::{DoorProbe, Filter};
pub use ends::{Bell, Bystander, Doomed, Grenade, NoDefault, Tally, Unstartable, Wait};
pub use gates::{GateProbe, Ledger, Witness};
pub use ids::{IdProbe, Identity, ParsedId};
pub use libraries::LIBRARIES;
pub use lifecycle::{Life, LifeProbe, Start, Starter, Switch, SwitchState};
pub use locks::{LockHolder, Vault};
pub use rpc::{Failure, Hop, Outcome, Peer};
pub use shards::{Race, Reached, SHARDS, ShardProbe};
pub use sockets::{Closed, Command, Said, Session, SocketProbe, Told};
pub use storage::{Listing, Step, StepResult, StorageProbe};
pub use streams::{Produced, Received, StreamProbe};
pub use timers::{Slept, TimerProbe};
pub use transactions::{Ending, Traces, TransactionProbe};
pub use turns::{Span, TurnProbe};

/// The probes and the paths that lead to them.
#[anchorhold::app]
pub fn app() -> App {
    libraries::add(deaths::add_handlers(App::new()))
        .mount::<Mortal>("/mortals/{name}")
        .mount::<StorageProbe>("/storage/{name}")
        .mount::<StreamProbe>("/streams/{name}")
        .get("/app-stream", streams::app_stream)
        .mount::<AlarmProbe>("/alarms/{name}")
        .mount::<SocketProbe>("/sockets/{name}")
        .mount::<TurnProbe>("/turns/{name}")
        .mount::<TransactionProbe>("/transactions/{name}")
        .mount::<LifeProbe>("/lives/{name}")
        .mount::<Starter>("/starters/{name}")
        .get("/call-starter", lifecycle::call_starter)
        .get("/unused-stub", lifecycle::unused_stub)
        .mount::<Switch>("/switches/{name}")
        .mount::<Peer>("/peers/{name}")
        .mount::<Lock>("/locks/{name}")
        .mount::<LockHolder>("/lock-holders/{name}")
        .mount::<Vault>("/vaults/{name}")
        .mount::<GateProbe>("/gates/{name}")
        .mount::<Witness>("/witnesses/{name}")
        .mount::<IdProbe>("/names/{name}")
        .mount::<IdProbe>("/ids/{id}")
        .mount::<Keeper>("/keepers/{name}")
        .mount::<TimerProbe>("/timers/{name}")
        .mount::<Adopted>("/adopted/{name}")
        .mount::<AnswerProbe>("/answers/{name}")
        .mount::<Deaf>("/deaf/{name}")
        .mount::<Differential>("/differential/{name}")
        .mount_sharded::<ShardProbe>("/shards/{key}", SHARDS)
        .post("/kept/stub", contexts::kept_stub)
        .post("/kept/stub-in-order", contexts::kept_stub_in_order)
        .post("/kept/env", contexts::kept_env)
        .post("/kept/nap", contexts::nap)
        .get("/keys", contexts::keys)
        .get("/turnstile", contexts::turnstile)
        .get("/many-timers", timers::many)
        .get("/long-timers", timers::long)
        .get("/limited-timers", timers::limited)
        .get("/app-error", answers::app_error)
        .get("/app-response", answers::app_response)
        .post("/wait", answers::app_wait)
        .get("/variable", answers::app_variable)
        .mount::<DoorProbe>("/doors/{name}")
        .allow_origin("https://friend.example")
        .allow_credentials()
        .expose_header("x-value")
        .get("/door-header", doors::with_header)
        .get("/door-path", doors::with_path)
        .get("/address", doors::address)
        .delete("/methods/{name}", doors::deleted)
        .route("PROPFIND", "/methods/{name}", doors::deleted)
        .assets("public")
        .fallback(doors::fallback)
        .mount::<Bystander>("/bystanders/{name}")
        .mount::<Doomed>("/doomed/{name}")
        .mount::<Unstartable>("/unstartable/{name}")
        .mount::<NoDefault>("/no-default/{name}")
        .mount::<Bell>("/bells/{name}")
        .mount::<Tally>("/tallies/{name}")
        .get("/healthz", async |_, _| Ok(Response::text(200, "ok")))
        .get("/sleep", ends::sleep)
        .get("/panic", ends::panic)
        .get("/call-doomed", ends::call_doomed)
        .get("/race", shards::race)
        .post("/new-id", async |_, env| {
            let id = env.objects::<IdProbe>().unique().id()?;
            Response::json(201, &id)
        })
        // The effect of a guard on a request. A guard of the whole app would remove the fast path
        // from the other routes.
        .get("/ws", async |request: Request, env| {
            let request = request
                .without_query_value("token")
                .with_query_value("label", "r&d");
            let probe = env.objects::<SocketProbe>().named("rewritten");
            Ok(probe.fetch(request).await?)
        })
        .post("/echo", async |mut request: Request, env| {
            let said: String = request.json().await?;
            let request = request.with_json(&Said {
                said: said.repeat(2),
            })?;
            let probe = env.objects::<SocketProbe>().named("rewritten");
            Ok(probe.fetch(request).await?)
        })
        .get("/parse-id", async |request, env| {
            let hex = request.query_value("hex").unwrap_or_default();
            Response::json(200, &ParsedId::of(&env, &hex))
        })
        .get("/jurisdiction", answers::jurisdiction)
}
