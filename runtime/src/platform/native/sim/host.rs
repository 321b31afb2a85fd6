//! A simulated host in one thread, without network and with virtual time.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, sleep_until};

use super::super::clock::Clock;
use super::super::executor::disk::Disk;
use super::super::executor::{Parts, Shard};
use super::super::kernel::Limits;
use super::super::network::answers::Answers;
use super::super::network::assets;
use super::super::network::outgoing::Outgoing;
use super::super::random::{Random, SplitMix};
use super::super::seam::remote::{Env as PlatformEnv, Remote};
use super::super::seam::upgrade::Transport;
use super::disk::MemoryDisk;
use super::pipe::Pipe;
use super::simulation::Simulation;
use super::socket::SimSocket;
use super::trace;
use crate::app::App;
use crate::error::{Error, StorageError};
use crate::http::{Body, Request, Response};
use crate::object::context::Env;
use crate::object::namespace::Namespace;
use crate::object::{DurableObject, Stub};
use crate::time::Timestamp;

/// When simulated time begins: 2026-01-01T00:00:00Z.
const START_MS: i64 = 1_767_225_600_000;
/// How long a test may wait, in virtual time. One that waits longer waits for something that will
/// not happen.
pub(super) const PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);
/// Steps within which all objects that do not wait for time become idle.
const MANY_STEPS: usize = 10_000;
/// Steps within which a timer's task runs.
const SOME_STEPS: usize = 8;

/// A simulated host: the kernel of the embedded host, in one thread, without network. Time is
/// virtual, and a seed decides the order of events. The same seed gives the same run.
///
/// [`#[anchorhold::test]`](macro@crate::test) passes it to a test. Time does not advance while
/// anything can run. When everything waits for time, it advances automatically to the next timer or
/// alarm.
///
/// ```
/// # use anchorhold::prelude::*;
/// # async fn example<Counter: DurableObject>(sim: Sim) {
/// let counter = sim.objects::<Counter>().named("a");
/// // … call it, then:
/// sim.evict(&counter).await;
/// sim.crash().await;
/// sim.advance(std::time::Duration::from_secs(60)).await;
/// # }
/// ```
#[derive(Clone)]
pub struct Sim(pub(super) Rc<Inner>);

pub(super) struct Inner {
    seed: u64,
    pub(super) shard: Rc<Shard>,
    app: RefCell<Option<Rc<App>>>,
    /// Each with its name and the location of its declaration in the test.
    pub(super) invariants: RefCell<Vec<(String, Check)>>,
    /// Time that the test lets pass with `advance` does not count as waiting.
    patient_since: Cell<Instant>,
}

impl Sim {
    pub(super) fn new(seed: u64) -> Result<Self, StorageError> {
        let generator = SplitMix::new(seed);
        let random = Random::Seeded(SplitMix::new(generator.next()));
        // There is no other thread to receive messages from.
        let (inbox, _) = unbounded_channel();
        let simulation = Simulation::new(generator.next());
        let disk = Disk::Memory(Box::new(MemoryDisk::new(random.bytes())?));
        let start = Instant::now();
        let parts = Parts {
            number: 0,
            inboxes: Arc::from([inbox]),
            disk,
            clock: Clock::Virtual {
                start,
                start_ms: Arc::new(START_MS.into()),
            },
            random,
            outgoing: Outgoing::simulated(),
            simulation: Some(simulation),
            limits: Limits::default(),
        };
        let shard = Shard::new(parts, &[]);
        shard.start_simulated_tasks();
        Ok(Self(Rc::new(Inner {
            seed,
            shard,
            app: RefCell::default(),
            invariants: RefCell::default(),
            patient_since: Cell::new(start),
        })))
    }

    /// Returns the seed of this run.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.0.seed
    }

    /// Returns the virtual time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.shard.clock.now())
    }

    /// Sets the clock forward or back, as an administrator or a time server does. Alarms that were
    /// due before the new time run at once. After a step back, alarms wait again for their time.
    /// Timers, such as [`Ctx::sleep`](crate::Ctx::sleep), measure elapsed time and are not
    /// affected.
    pub async fn set_clock(&self, now: Timestamp) {
        let (before, after) = (self.0.shard.clock.now(), now.as_millis());
        let direction = if after < before { "back" } else { "forward" };
        let by = Duration::from_millis(after.abs_diff(before));
        self.tell(&format!("sim.set_clock: {by:?} {direction}"));
        self.0.shard.clock.set(after);
        if let Some(simulation) = self.0.shard.simulation() {
            simulation.clock_is_right();
        }
        self.0.shard.clock_was_set();
        self.settle().await;
    }

    /// Returns the environment that the app's own handlers receive.
    #[must_use]
    pub fn env(&self) -> Env {
        Env::new(PlatformEnv::ungated(Rc::clone(&self.0.shard)))
    }

    /// Returns the objects of a class, called as from the app.
    #[must_use]
    pub fn objects<T: DurableObject>(&self) -> Namespace<T> {
        self.env().objects()
    }

    /// Sets the app that [`fetch`](Self::fetch) calls.
    ///
    /// # Panics
    /// Panics if the app is invalid.
    pub fn app(&self, app: App) {
        assert!(
            app.mistakes().is_empty(),
            "invalid app: {}",
            app.mistakes().join("; ")
        );
        *self.0.app.borrow_mut() = Some(Rc::new(app));
    }

    /// Sets the function that answers requests which objects and the app send to the outside world
    /// with [`Ctx::fetch`](crate::Ctx::fetch) and [`Env::fetch`]. Until it is set, such requests
    /// fail as disconnected. With [faults](crate::FaultKind), requests and their answers are lost,
    /// delayed or repeated.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// # async fn example(sim: Sim) {
    /// sim.answer_outgoing(async |request| match &*request.path() {
    ///     "/rates.json" => Response::text(200, "{}"),
    ///     _ => Response::empty(404),
    /// });
    /// # }
    /// ```
    pub fn answer_outgoing<F, R>(&self, responder: F)
    where
        F: Fn(Request) -> R + 'static,
        R: Future<Output = Response> + 'static,
    {
        self.0
            .shard
            .outgoing
            .answer_with(Rc::new(move |request| Box::pin(responder(request))));
    }

    /// Sends a request to the app, as a client does. The app's handler ends with the host's
    /// process. The client's connection is then broken, which is represented by a 503 response with
    /// the code `disconnected`.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// # async fn example<Counter: DurableObject>(sim: Sim) {
    /// sim.app(App::new().mount::<Counter>("/counters/{name}"));
    /// let response = sim.fetch(Request::new("GET", "/counters/a")).await;
    /// assert_eq!(response.status(), 200);
    /// # }
    /// ```
    ///
    /// # Panics
    /// Panics if no app was set with [`app`](Self::app).
    pub async fn fetch(&self, mut request: Request) -> Response {
        let app = self.0.app.borrow().clone();
        let Some(app) = app else {
            panic!("call sim.app(…) before sim.fetch(…)")
        };
        if let Err(fault) = request.check() {
            return fault.into_response();
        }
        let path = request.path().into_owned();
        self.tell(&format!("sim.fetch {} {path}", request.method()));
        let answer = async {
            let asked = match app.answer(request, self.env()).await {
                Ok(response) => return response,
                Err(asked) => asked,
            };
            let folder = app.assets.unwrap_or_default();
            match assets::answer(folder, &path, &Answers::with_room(usize::MAX)).await {
                Ok((mut response, body)) => {
                    response.body = Body::Bytes(body.to_vec());
                    response
                }
                Err(reason) => app.answer_without_asset(*asked, reason).await,
            }
        };
        self.0.shard.serve(answer).await
    }

    /// Sends a request to the app, as a client with this address does; see
    /// [`Request::client_address`].
    ///
    /// # Panics
    /// As [`fetch`](Self::fetch).
    pub async fn fetch_from(&self, address: IpAddr, mut request: Request) -> Response {
        request.inner.set_client_address(address);
        self.fetch(request).await
    }

    /// Opens a socket through a `#[websocket]` route. The path is relative to the object.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// # async fn example<Room: DurableObject>(sim: Sim) {
    /// let room = sim.objects::<Room>().named("lobby");
    /// let mut socket = sim.connect(&room, "/ws?user=ann").await.unwrap();
    /// socket.send_text("hello");
    /// let answer: serde_json::Value = socket.receive_json().await;
    /// # }
    /// ```
    ///
    /// # Errors
    /// Fails if the object refuses the socket. The error has the response's status, code and
    /// message.
    pub async fn connect<S: Stub>(&self, stub: &S, path: &str) -> Result<SimSocket, Error> {
        let request = Request::new("GET", path).with_header("upgrade", "websocket");
        let mut response = match stub.core().fetch(request).await {
            Ok(response) => response,
            Err(fault) => fault.into_response(),
        };
        match std::mem::replace(&mut response.body, Body::Empty) {
            Body::Upgrade(upgrade) => {
                let (theirs, ours, link) = Pipe::pair();
                if let Some(simulation) = self.0.shard.simulation() {
                    simulation.links.add(&link);
                }
                upgrade.complete(Transport::Memory(theirs));
                Ok(SimSocket {
                    pipe: ours,
                    closed: None,
                })
            }
            Body::Bytes(bytes) => Err(refusal(response.status, &bytes)),
            Body::Empty | Body::Stream(_) => Err(Error::new(
                response.status,
                "refused",
                "the object accepted no socket",
            )),
        }
    }

    /// Cuts a connection without a Close, as a network failure does. Messages in flight are lost.
    /// Each end notices within 2 minutes, at a time that the seed decides, and sees code 1006. What
    /// it sends until then is lost.
    pub fn cut(&self, socket: &SimSocket) {
        self.tell("sim.cut");
        if let Some(simulation) = self.0.shard.simulation() {
            simulation.cut(socket.pipe.link());
        }
    }

    /// Lets time pass. Timers and alarms that become due run in their order. Returns when the work
    /// that they start is idle or waits for time.
    pub async fn advance(&self, duration: Duration) {
        self.0.patient_since.set(Instant::now() + duration);
        sleep(duration).await;
        self.settle().await;
    }

    /// Runs everything that does not wait for time.
    pub(super) async fn settle(&self) {
        for _ in 0..SOME_STEPS {
            yield_now().await;
        }
        for _ in 0..MANY_STEPS {
            if self.0.shard.is_quiet() {
                self.0.shard.check_rest();
                return;
            }
            yield_now().await;
        }
    }

    /// Evicts an object from memory, as after idle time. Its `#[memory]` fields are lost. Its
    /// sockets stay open.
    ///
    /// # Panics
    /// Panics if the object runs something that waits for time, because such an object is not
    /// evicted.
    pub async fn evict<S: Stub>(&self, stub: &S) {
        let Some(id) = stub.core().remote.as_ref().ok().map(Remote::id) else {
            return;
        };
        if let Some(simulation) = self.0.shard.simulation() {
            self.tell(&format!("sim.evict {}", simulation.trace.name_of(id)));
        }
        for _ in 0..MANY_STEPS {
            if !self.0.shard.is_resident(id) {
                return;
            }
            self.0.shard.request_eviction(id);
            yield_now().await;
        }
        panic!("{id} cannot be evicted: it is still at work");
    }

    /// Crashes the host and restarts it. Everything except the disk is lost. Calls in flight fail
    /// as disconnected. Acknowledged writes are kept.
    pub async fn crash(&self) {
        self.tell("sim.crash");
        self.0.shard.crash();
        for _ in 0..SOME_STEPS {
            yield_now().await;
        }
    }

    /// Ends the host's process, as [`crash`](Self::crash) does, and starts another with only the
    /// classes of this app. [`fetch`](Self::fetch) calls this app from then on. A class of the same
    /// name in another module is another version of the class.
    ///
    /// Alarms of a class that the app lacks wait for an app that has it. Stubs of classes and
    /// versions that the app lacks fail as
    /// [`CallError::Configuration`](crate::CallError::Configuration). Without a deployment a test
    /// can use any class.
    ///
    /// # Panics
    /// Panics if the app is invalid.
    pub async fn deploy(&self, app: App) {
        self.tell("sim.deploy");
        let classes = app.objects.clone();
        self.app(app);
        self.0.shard.deploy(&classes);
        for _ in 0..SOME_STEPS {
            yield_now().await;
        }
    }

    /// Ends the host as a power failure does, and restarts it. Loses what [`crash`](Self::crash)
    /// loses. Commits that the disk has not confirmed are lost or kept, for each object separately,
    /// as the seed decides. Acknowledged writes are kept.
    pub async fn power_failure(&self) {
        self.tell("sim.power_failure");
        self.0.shard.power_failure();
        for _ in 0..SOME_STEPS {
            yield_now().await;
        }
    }

    #[cfg(test)]
    pub(in super::super) fn shard(&self) -> &Rc<Shard> {
        &self.0.shard
    }

    /// Records in the trace what the test itself does.
    pub(super) fn tell(&self, action: &str) {
        self.0.shard.trace_test(action);
    }

    /// Lets everything that is due happen. Describes what does not happen within `limit`.
    pub(super) async fn still_pending(&self, limit: Duration) -> Option<String> {
        let until = Instant::now() + limit;
        let mut step = Duration::from_secs(1);
        loop {
            self.advance(step).await;
            let overdue = self.0.shard.overdue_alarms();
            if overdue.is_empty() && self.0.shard.is_quiet() {
                let lost = self.0.shard.lost_alarms();
                return lost
                    .first()
                    .map(|alarm| format!("a run will not happen in time: {alarm}"));
            }
            if Instant::now() >= until {
                return Some(match overdue.first() {
                    Some(alarm) => format!("a run is due and has not happened: {alarm}"),
                    None => self.at_work().unwrap_or_default(),
                });
            }
            step = (step * 2).min(Duration::from_secs(60));
        }
    }

    /// Returns the events so far, one line each. A line begins with the date by the simulated
    /// clock, in milliseconds since 1970. The report of a failure shows the same events.
    #[must_use]
    pub fn trace(&self) -> Vec<String> {
        self.lines().iter().map(trace::Line::dated).collect()
    }

    pub(super) fn lines(&self) -> Vec<trace::Line> {
        let simulation = self.0.shard.simulation();
        simulation.map_or_else(Vec::new, |simulation| simulation.trace.lines())
    }

    /// Returns when the test has waited too long outside of [`advance`](Self::advance).
    pub(super) async fn lose_patience(&self) {
        loop {
            let until = self.0.patient_since.get() + PATIENCE;
            sleep_until(until).await;
            if self.0.patient_since.get() + PATIENCE <= Instant::now() {
                return;
            }
        }
    }
}

/// An invariant to check after each turn.
pub(super) type Check = Rc<dyn Fn(&Sim) -> Result<(), String>>;

/// The error that a response body describes.
fn refusal(status: u16, body: &[u8]) -> Error {
    #[derive(Deserialize)]
    struct Refusal {
        error: Named,
    }
    #[derive(Deserialize)]
    struct Named {
        code: String,
        message: String,
    }
    match serde_json::from_slice(body) {
        Ok(Refusal { error }) => Error::new(status, error.code, error.message),
        Err(_) => Error::new(
            status,
            "refused",
            String::from_utf8_lossy(body).into_owned(),
        ),
    }
}
