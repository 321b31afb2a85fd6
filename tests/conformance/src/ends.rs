//! Objects that end in every way an object can, and bystanders that must not be affected.
//!
//! The tests are in `tests/hosts`.

use std::hint::black_box;
use std::time::Duration;

use anchorhold::prelude::*;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Runs beside the object that ends.
#[durable_object]
pub struct Bystander {
    value: u64,
}

#[durable_object]
impl Bystander {
    #[rpc]
    #[get("/")]
    fn value(&self) -> u64 {
        self.value
    }

    #[rpc]
    #[post("/increment")]
    fn increment(&mut self) -> u64 {
        self.value += 1;
        self.value
    }

    /// Stores that it has begun, waits, and returns its argument.
    #[rpc]
    #[post("/wait")]
    async fn wait(&self, ctx: &Ctx, ms: u64, ticket: u64) -> Result<u64, StorageError> {
        ctx.storage().put(&format!("begun/{ticket}"), &true)?;
        ctx.sleep(Duration::from_millis(ms)).await;
        Ok(ticket)
    }

    #[get("/begun")]
    fn begun(&self, ctx: &Ctx, ticket: u64) -> Result<bool, StorageError> {
        Ok(ctx
            .storage()
            .get::<bool>(&format!("begun/{ticket}"))?
            .is_some())
    }

    /// Blocks every other turn until another bystander, the gate, was incremented.
    #[post("/hold")]
    async fn hold(&mut self, ctx: &Ctx, gate: String) -> Result<(), Error> {
        while ctx.objects::<Bystander>().named(&gate).value().await? == 0 {
            ctx.sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Returns this many bytes of text.
    #[get("/large")]
    async fn large(&self, bytes: usize) -> Response {
        Response::text(200, "x".repeat(bytes))
    }

    #[websocket("/ws")]
    fn connect(&self) -> Accept<()> {
        Accept::new(())
    }

    /// Stores that it has begun, waits, and sends its message back.
    #[message]
    async fn wait_on_socket(
        &self,
        ctx: &Ctx,
        socket: &Socket<()>,
        message: Wait,
    ) -> Result<(), Error> {
        let Wait { ms, ticket } = message;
        ctx.storage().put(&format!("begun/{ticket}"), &true)?;
        ctx.sleep(Duration::from_millis(ms)).await;
        Ok(socket.send(&ticket)?)
    }

    /// Closes when the client does, as the documentation recommends.
    #[close]
    fn closed(&self, socket: &Socket<()>, event: CloseEvent) -> Result<(), Error> {
        if event.clean {
            socket.close(1000, "")?;
        }
        Ok(())
    }
}

/// A request of a client over a socket.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Wait {
    pub ms: u64,
    pub ticket: u64,
}

/// A text whose conversions panic if it says so.
#[derive(Clone, Debug)]
pub struct Grenade(String);

impl Serialize for Grenade {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        assert!(self.0 != "serialize", "a Serialize that panics as told");
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Grenade {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        assert!(text != "deserialize", "a Deserialize that panics as told");
        Ok(Self(text))
    }
}

/// A text that does not load if it says so.
#[derive(Default, Serialize)]
struct Relic(String);

impl<'de> Deserialize<'de> for Relic {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "spoiled" {
            return Err(serde::de::Error::custom("it does not load as told"));
        }
        Ok(Self(text))
    }
}

/// Panics when it is dropped while armed.
#[derive(Default)]
struct Bomb {
    armed: bool,
}

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(!self.armed, "a Drop that panics as told");
    }
}

/// Ends as instructed.
#[durable_object]
pub struct Doomed {
    number: i64,
    rings: u64,
    relic: Relic,
    #[memory]
    bomb: Bomb,
}

#[durable_object]
impl Doomed {
    #[post("/increment")]
    fn increment(&mut self) -> i64 {
        self.number += 1;
        self.number
    }

    #[rpc]
    #[post("/panic")]
    fn panic(&mut self) {
        self.number += 1000;
        panic!("a handler that panics as told");
    }

    #[rpc]
    #[post("/panic-later")]
    async fn panic_later(&self, ctx: &Ctx) {
        ctx.sleep(Duration::from_millis(20)).await;
        panic!("a handler that panics after an await as told");
    }

    #[post("/abort")]
    fn abort(&mut self, ctx: &Ctx) {
        self.number += 1000;
        ctx.abort("as told")
    }

    #[post("/abort-later")]
    async fn abort_later(&self, ctx: &Ctx) {
        ctx.sleep(Duration::from_millis(20)).await;
        ctx.abort("as told")
    }

    #[post("/panic-in-background")]
    fn panic_in_background(&self, ctx: &Ctx) {
        let pause = ctx.sleep(Duration::from_millis(20));
        ctx.wait_until(async move {
            pause.await;
            panic!("work in the background that panics as told");
        });
    }

    /// Returns a value whose conversions panic if it says so.
    #[post("/convert")]
    fn convert(&self, value: Grenade) -> Grenade {
        value
    }

    /// Resets the object. A destructor panics meanwhile.
    #[post("/abort-armed")]
    fn abort_armed(&mut self, ctx: &Ctx) {
        self.bomb.armed = true;
        ctx.abort("as told")
    }

    /// Stores a field that the next activation cannot load, as a deployment with another type
    /// would.
    #[post("/spoil")]
    fn spoil(&mut self) {
        self.relic = Relic("spoiled".to_owned());
    }

    /// Traps without a panic by exhausting the stack. On the embedded host that ends the process,
    /// as in every native program.
    #[post("/recurse")]
    fn recurse(&self) -> u64 {
        descend(1)
    }

    /// Does the same in a later poll.
    #[post("/recurse-later")]
    async fn recurse_later(&self, ctx: &Ctx) -> u64 {
        ctx.sleep(Duration::from_millis(20)).await;
        descend(1)
    }

    /// Traps without a panic by allocating more memory than exists on wasm.
    #[post("/exhaust")]
    fn exhaust(&self) -> usize {
        let mut hoard = Vec::new();
        while hoard.len() < 5 {
            // Reserved and never touched, so that it costs the machine nothing.
            hoard.push(black_box(Vec::<u8>::with_capacity(1 << 30)));
        }
        hoard.len()
    }

    /// Schedules a run that panics each time, and three seconds later one that does not.
    #[post("/poison")]
    fn poison(&self, ctx: &Ctx) -> Result<(), StorageError> {
        Self::schedules(ctx)
            .poisoned()
            .after(Duration::from_millis(100))?;
        Self::schedules(ctx).ring().after(Duration::from_secs(3))
    }

    #[alarm]
    fn poisoned(&mut self, run: AlarmRun) {
        panic!("a run that panics as told, retry {}", run.retry_count);
    }

    #[alarm]
    fn ring(&mut self) {
        self.rings += 1;
    }

    #[get("/rings")]
    fn rings(&self) -> u64 {
        self.rings
    }
}

#[allow(unconditional_recursion, reason = "that is its purpose")]
fn descend(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    descend(depth + 1).wrapping_add(frame[0])
}

/// Does not start if its name says so.
#[durable_object]
pub struct Unstartable {}

#[durable_object]
impl Unstartable {
    #[init]
    fn begin(&mut self, ctx: &Ctx) -> Result<(), Error> {
        match ctx.name().unwrap_or_default().as_str() {
            "refused" => Err(Error::bad_request("bad_name", "this name is refused")),
            "panics" => panic!("a start that panics as told"),
            _ => Ok(()),
        }
    }

    #[rpc]
    #[get("/")]
    fn started(&self) -> bool {
        true
    }
}

/// A stored field whose default panics.
#[durable_object]
pub struct NoDefault {
    field: Grumbler,
}

#[derive(Clone, Serialize, Deserialize)]
struct Grumbler;

impl Default for Grumbler {
    fn default() -> Self {
        panic!("a Default that panics as told");
    }
}

#[durable_object]
impl NoDefault {
    #[get("/")]
    fn started(&self) -> bool {
        let _ = &self.field;
        true
    }
}

/// Runs alarms as instructed, and reports to the tally.
#[durable_object]
pub struct Bell {
    rung: Vec<Timestamp>,
}

#[durable_object]
impl Bell {
    #[post("/schedule")]
    fn schedule(&self, ctx: &Ctx, at: Timestamp) -> Result<(), StorageError> {
        Self::schedules(ctx).ring().at(at)
    }

    #[alarm]
    async fn ring(&mut self, ctx: &Ctx) -> Result<(), Error> {
        self.rung.push(ctx.now());
        let name = ctx.name().unwrap_or_default();
        ctx.objects::<Tally>().named("bells").count(name).await?;
        Ok(())
    }

    #[get("/rung")]
    fn rung(&self) -> Vec<Timestamp> {
        self.rung.clone()
    }
}

/// Counts names, each once.
#[durable_object]
pub struct Tally {
    seen: StoredMap<String, bool>,
    count: u64,
}

#[durable_object]
impl Tally {
    #[rpc]
    fn count(&mut self, name: String) -> Result<(), StorageError> {
        if self.seen.insert(&name, &true)?.is_none() {
            self.count += 1;
        }
        Ok(())
    }

    #[get("/")]
    fn counted(&self) -> u64 {
        self.count
    }
}

/// The app's own handlers, which also wait and panic.
pub(crate) async fn sleep(request: Request, env: Env) -> Result<Response, Error> {
    let ms = request.query_value("ms").unwrap_or_default();
    let ms = ms
        .parse()
        .map_err(|_| Error::bad_request("bad_request", "`ms` is not a number"))?;
    let arrived = env.objects::<Bystander>().named("app");
    arrived.increment().await?;
    env.sleep(Duration::from_millis(ms)).await;
    Response::json(200, &ms)
}

pub(crate) async fn panic(_: Request, _: Env) -> Result<Response, Error> {
    panic!("a handler of the app that panics as told");
}

/// Makes an object end within a handler of the app, which returns how the call ended.
pub(crate) async fn call_doomed(_: Request, env: Env) -> Result<Response, Error> {
    let ended = env.objects::<Doomed>().named("called").panic().await;
    Response::json(200, &ended.map_err(|error| error.to_string()))
}
