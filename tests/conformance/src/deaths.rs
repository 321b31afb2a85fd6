//! Deaths: every way in which an object's code can end its own memory, or the memory of everything
//! beside it.

use std::hint::black_box;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::Duration;

use anchorhold::prelude::*;
use serde::{Deserialize, Serialize};

/// How to die.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Death {
    Panic,
    Abort,
    /// WebAssembly's `unreachable`, without a message.
    Trap,
    /// Recursion with frames that are small in memory. The host's stack ends first.
    DeepCalls,
    /// Recursion with frames that are large in memory. The memory's own stack ends first.
    LargeFrames,
    /// More memory than exists.
    Allocation,
    /// A value that panics when it is dropped.
    Drop,
}

impl Death {
    fn come(self, ctx: &Ctx) {
        match self {
            Self::Abort => ctx.abort("as told"),
            other => other.come_without_object(),
        }
    }

    fn come_without_object(self) {
        match self {
            Self::Panic | Self::Abort => panic!("as told"),
            Self::Trap => trap(),
            Self::DeepCalls => {
                black_box(deep_calls(black_box(0)));
            }
            Self::LargeFrames => {
                black_box(large_frames(black_box(0)));
            }
            Self::Allocation => {
                let all: Vec<Vec<u8>> = (0..64).map(|_| Vec::with_capacity(256 << 20)).collect();
                black_box(all);
            }
            Self::Drop => drop(PanicsWhenDropped),
        }
    }
}

#[cfg(target_arch = "wasm32")]
fn trap() {
    core::arch::wasm32::unreachable()
}

#[cfg(not(target_arch = "wasm32"))]
fn trap() {
    panic!("a trap, where there are none");
}

#[expect(unconditional_recursion, reason = "it is to end the stack")]
#[inline(never)]
fn deep_calls(depth: u64) -> u64 {
    black_box(deep_calls(black_box(depth + 1))) + 1
}

#[expect(unconditional_recursion, reason = "it is to end the stack")]
#[inline(never)]
fn large_frames(depth: u8) -> u8 {
    let frame = black_box([depth; 16 * 1024]);
    black_box(large_frames(frame[7].wrapping_add(1))) ^ black_box(frame)[9]
}

struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("as told");
    }
}

/// Handlers that wait, in objects and in the app.
static WAITING: AtomicI64 = AtomicI64::new(0);

/// Counts a handler, until its destructors run.
struct Waiting(#[expect(dead_code, reason = "it is to take room")] Vec<u8>);

impl Waiting {
    fn with(ballast: usize) -> Self {
        WAITING.fetch_add(1, Relaxed);
        Self(vec![1; ballast])
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        WAITING.fetch_sub(1, Relaxed);
    }
}

/// The contents of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holding {
    /// The pages of WebAssembly's memory, of 64 KiB each. Zero on the embedded host.
    pub pages: usize,
    /// Handlers that wait, in objects and in the app.
    pub waiting: i64,
}

impl Holding {
    fn now() -> Self {
        #[cfg(target_arch = "wasm32")]
        let pages = core::arch::wasm32::memory_size(0);
        #[cfg(not(target_arch = "wasm32"))]
        let pages = 0;
        Self {
            pages,
            waiting: WAITING.load(Relaxed),
        }
    }
}

/// A message of a client over a socket, which is returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    pub ms: u64,
    pub death: Option<Death>,
}

/// Dies as instructed, and waits where others die. Its name selects how its start ends:
/// `refuses-…`, `aborts-…`, `panics-…`, `traps-…`.
#[durable_object]
pub struct Mortal {
    value: i64,
    /// Makes the object as large as instructed.
    ballast: Vec<u8>,
    #[memory]
    seen: u64,
}

#[durable_object]
impl Mortal {
    #[init]
    fn wake(&mut self, ctx: &Ctx) -> Result<(), Error> {
        let name = ctx.name().unwrap_or_default();
        match name.split('-').next() {
            Some("refuses") => Err(Error::new(422, "bad_name", "no object has such a name")),
            Some("aborts") => ctx.abort("as told"),
            Some("panics") => panic!("as told"),
            Some("traps") => {
                trap();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Counts the events that this memory has seen.
    #[get("/")]
    fn seen(&mut self) -> u64 {
        self.seen += 1;
        self.seen
    }

    #[get("/value")]
    fn value(&self) -> i64 {
        self.value
    }

    #[post("/add")]
    fn add(&mut self, by: i64) -> i64 {
        self.value += by;
        self.value
    }

    #[post("/grow")]
    fn grow(&mut self, bytes: usize) {
        self.ballast = vec![7; bytes];
    }

    #[rpc]
    #[post("/die")]
    fn die(&mut self, ctx: &Ctx, death: Death) {
        self.value += 1_000;
        death.come(ctx);
    }

    #[post("/die-later")]
    async fn die_later(&mut self, ctx: &Ctx, death: Death) {
        self.value += 1_000;
        ctx.sleep(Duration::from_millis(20)).await;
        death.come(ctx);
    }

    /// Dies without having changed anything, with the value borrowed only by shared reference.
    #[post("/die-shared")]
    async fn die_shared(&self, ctx: &Ctx, death: Death) {
        ctx.sleep(Duration::from_millis(1)).await;
        death.come(ctx);
    }

    #[post("/wait")]
    async fn wait(&self, ctx: &Ctx, ms: u64) -> i64 {
        let _waiting = Waiting::with(0);
        ctx.sleep(Duration::from_millis(ms)).await;
        self.value
    }

    #[websocket("/ws")]
    fn open(&self) -> Accept<()> {
        Accept::new(())
    }

    /// Returns its message, or waits or dies first.
    #[message]
    async fn told(&self, ctx: &Ctx, socket: &Socket<()>, told: Told) -> Result<(), Error> {
        if told.ms > 0 {
            let _waiting = Waiting::with(0);
            ctx.sleep(Duration::from_millis(told.ms)).await;
        }
        if let Some(death) = told.death {
            death.come(ctx);
        }
        socket.send(&told)?;
        Ok(())
    }
}

/// A request to the app's handlers.
#[derive(Deserialize)]
struct Stay {
    ms: u64,
    #[serde(default)]
    death: Option<Death>,
    #[serde(default)]
    ballast: String,
}

/// Adds the app's handlers, which wait and die.
pub fn add_handlers(app: App) -> App {
    app.post("/app/stay", async |mut request: Request, env| {
        let stay: Stay = request.json().await?;
        let waiting = Waiting::with(stay.ballast.len());
        if stay.ms > 0 {
            env.sleep(Duration::from_millis(stay.ms)).await;
        }
        if let Some(death) = stay.death {
            death.come_without_object();
        }
        drop(waiting);
        Response::json(200, &true)
    })
    .get("/app/holding", async |_, _| {
        Response::json(200, &Holding::now())
    })
}
