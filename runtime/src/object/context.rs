//! What a handler asks of its platform.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use crate::engine::activation::Activation;
use crate::engine::running_turn;
use crate::error::CallError;
use crate::error::fault::Fault;
use crate::http::{Request, Response};
use crate::platform::{self, Aborted, ObjectState};
use crate::socket::Sockets;
use crate::storage::Storage;
use crate::time::Timestamp;
use crate::turn::caller::Caller;
use crate::turn::effects;
use crate::turn::user_code::Guarded;

/// The platform, as one turn of one object sees it. A handler that wants it takes `ctx: &Ctx`.
pub struct Ctx {
    pub(crate) inner: Rc<Activation>,
    caller: Caller,
}

impl Ctx {
    pub(crate) fn new(inner: Rc<Activation>, caller: Caller) -> Self {
        Self { inner, caller }
    }

    pub(crate) fn state(&self) -> &ObjectState {
        &self.inner.state
    }

    /// The name the object was reached by, if it was reached by name (and the name has at most
    /// 1,024 bytes, P71).
    #[must_use]
    pub fn name(&self) -> Option<String> {
        self.inner.state.name()
    }

    /// The object's storage.
    #[must_use]
    pub fn storage(&self) -> Storage {
        Storage::new(self.inner.clone())
    }

    /// The object's sockets; `S` is the session type that the `#[websocket]` route accepts with.
    #[must_use]
    pub fn sockets<S>(&self) -> Sockets<S> {
        Sockets::new(self.inner.state.clone())
    }

    /// The bindings and variables of the deployment.
    #[must_use]
    pub fn env(&self) -> Env {
        Env::new(self.inner.state.env())
    }

    /// The time, in milliseconds. On Cloudflare it stands still between I/O; the simulator's is
    /// virtual.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.inner.state.now())
    }

    /// Fills `bytes` with random bits: cryptographic on the hosts, seeded in the simulator.
    pub fn random_bytes(&self, bytes: &mut [u8]) {
        self.inner.state.random(bytes);
    }

    /// A random number of 64 bits; see [`random_bytes`](Self::random_bytes).
    #[must_use]
    pub fn random(&self) -> u64 {
        let mut bytes = [0; 8];
        self.inner.state.random(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// Waits. Shared turns may run meanwhile; an alarm is the better clock for more than seconds,
    /// because an object that waits cannot leave memory.
    pub fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + use<> {
        self.inner.state.sleep(duration)
    }

    /// Runs `work` for at most `limit`. Returns what it yields, or `None` if the time is over first.
    ///
    /// The time begins with this call. When it is over, `work` is dropped: a call or request that it
    /// waits for is abandoned, and may still take effect. If both are ready at once, `work` wins.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// # use std::time::Duration;
    /// async fn ask(ctx: &Ctx, address: &str) -> Result<Response, Error> {
    ///     let answer = ctx.fetch(Request::new("GET", address));
    ///     match ctx.timeout(Duration::from_secs(5), answer).await {
    ///         Some(answer) => Ok(answer?),
    ///         None => Err(Error::new(504, "timed_out", "no answer within 5 s")),
    ///     }
    /// }
    /// ```
    pub fn timeout<W: Future>(
        &self,
        limit: Duration,
        work: W,
    ) -> impl Future<Output = Option<W::Output>> + use<W> {
        within(self.sleep(limit), work)
    }

    /// Resolves when the caller of this turn has disconnected. The turn is notified; it is never
    /// cancelled. A turn that only waits on behalf of its caller should return then.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// use std::future::{Future, poll_fn};
    /// use std::pin::pin;
    /// use std::task::Poll;
    ///
    /// /// What `work` yields, or `None` if the caller has disconnected.
    /// async fn while_wanted<T>(ctx: &Ctx, work: impl Future<Output = T>) -> Option<T> {
    ///     let (mut gone, mut work) = (pin!(ctx.caller_gone()), pin!(work));
    ///     poll_fn(|context| match gone.as_mut().poll(context) {
    ///         Poll::Ready(()) => Poll::Ready(None),
    ///         Poll::Pending => work.as_mut().poll(context).map(Some),
    ///     })
    ///     .await
    /// }
    /// ```
    ///
    /// Take it as a hint, because it may come late or never:
    ///
    /// - On the embedded host, a caller over HTTP hangs up by closing its connection, or its
    ///   sending half of it (unless it has sent more than the request by then); a network that
    ///   breaks in silence is not noticed. An object or an app's handler hangs up when it drops the
    ///   stub's future or is reset. A chain of calls is told link by link: while an object waits
    ///   for this one, this one's caller counts as connected.
    /// - In the simulator, a test hangs up when it drops the stub's future.
    /// - On Cloudflare it resolves for HTTP requests, when the platform notices that the client is
    ///   gone, and only with `"compatibility_flags": ["enable_request_signal"]` in the Wrangler
    ///   configuration. (workerd on its own notices a connection that was reset, but not one that was
    ///   closed in order.) With the flag, requests to `async` methods take the platform's slower way,
    ///   the only one that tells. Calls by other objects, by app handlers and by JavaScript never
    ///   resolve it.
    /// - In an alarm, in a socket's event and in `#[init]` it never resolves: they have no caller.
    pub fn caller_gone(&self) -> impl Future<Output = ()> + '_ {
        self.caller.gone()
    }

    /// Sends a request to the outside world; its address is a whole one, such as
    /// `https://example.com/hook`. It leaves when the writes so far are durable, and shared
    /// turns may run while it is under way. Redirects are followed. Dropping the future
    /// ends the request.
    ///
    /// A run of an alarm may happen twice, and so may what it sends: give it an idempotency key.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// async fn notify(ctx: &Ctx, hook: &str) -> Result<bool, Error> {
    ///     let answer = ctx.fetch(Request::new("POST", hook).with_json(&"done")?).await?;
    ///     Ok(answer.status() < 300)
    /// }
    /// ```
    ///
    /// # Errors
    /// `Configuration` for an address that is none or a header that cannot be sent, `Disconnected` if
    /// no answer came, `TimedOut` for an answer that is not whole after 60 s, `Undecodable` for a body
    /// of more than 32 MiB. The embedded host has 64 requests of a thread under way at a time; the rest
    /// wait, for up to 60 s (`Overloaded`). A status of 400 or more is not an error here.
    pub fn fetch(
        &self,
        request: Request,
    ) -> impl Future<Output = Result<Response, CallError>> + use<> {
        self.env().fetch(request)
    }

    /// Runs `work` beside the answer, which does not wait for it. It is outside of the turn: what it
    /// changes, it changes through calls and storage. Each stretch between its awaits commits by
    /// itself. The first stretch may share the turn's commit or come after the answer: no answer may
    /// rely on what `work` writes.
    ///
    /// In an atomic turn (`fn`) the work begins when the turn has succeeded; a turn that fails drops
    /// it. A panic in it resets the object.
    ///
    /// The turn does not wait for the calls that `work` begins, so they may lead back to this object;
    /// they start when the turn is over. A call that an `async` turn itself has begun counts as awaited
    /// by it until `work` first polls the call's future: begin such a call inside of `work`.
    pub fn wait_until(&self, work: impl Future<Output = ()> + 'static) {
        let work = Guarded::new(work);
        let inner = Rc::clone(&self.inner);
        let begin = move || {
            let state = inner.state.clone();
            let guarded = async move {
                if let Err(panic) = work.await
                    && !panic.is::<Aborted>()
                {
                    inner.state.reset("work in the background panicked");
                }
            };
            state.wait_until(Box::pin(guarded));
        };
        effects::when_kept(begin, || {});
    }

    /// Resets the object at once: uncommitted writes are dropped, memory is forgotten, callers get
    /// [`CallError::Reset`](crate::CallError::Reset). The next event finds a fresh object.
    ///
    /// On a busy object turns share a commit. Those that ended just before and wait for the same
    /// one are dropped too: their callers, who had no answer yet, get the reset as well.
    ///
    /// On Cloudflare no destructor runs, and what the running turn holds stays in memory. The
    /// runtime replaces the WebAssembly instance after hundreds of aborts, or when they have
    /// cost it 8 MiB, which other objects see as an eviction.
    pub fn abort(&self, reason: &str) -> ! {
        self.inner.state.abort(reason, running_turn::abandon)
    }
}

impl fmt::Debug for Ctx {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "Ctx({} {})",
            self.inner.class.name,
            self.inner.state.id()
        )
    }
}

/// Bindings and variables: where an app or an object finds other objects.
#[derive(Clone)]
pub struct Env {
    pub(crate) inner: platform::Env,
}

impl Env {
    pub(crate) fn new(inner: platform::Env) -> Self {
        Self { inner }
    }

    /// Returns a variable or secret: on Cloudflare of the Wrangler configuration, on the embedded host
    /// of the process's environment.
    ///
    /// A variable of the configuration that is not text is returned as its JSON text: `7` as
    /// `"7"`, `{"a": 1}` as `"{\"a\":1}"`. Read it with `serde_json::from_str`.
    #[must_use]
    pub fn var(&self, name: &str) -> Option<String> {
        self.inner.var(name)
    }

    /// The time, in milliseconds.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.inner.now())
    }

    /// Sends a request to the outside world, as [`Ctx::fetch`] does.
    ///
    /// # Errors
    /// As [`Ctx::fetch`].
    pub fn fetch(
        &self,
        request: Request,
    ) -> impl Future<Output = Result<Response, CallError>> + use<> {
        let answer = match request.inner.refused() {
            None => {
                let inner = self.inner.clone();
                Ok(effects::begin(move || inner.fetch(request)))
            }
            Some(message) => Err(Fault::Configuration(message.to_owned())),
        };
        async move {
            let response = match answer {
                Ok(answer) => answer.await,
                Err(fault) => Err(fault),
            };
            let response = match response {
                Ok(response) => response.gathered().await,
                Err(fault) => Err(fault),
            };
            response.map_err(Fault::into_plain_call_error)
        }
    }

    /// Waits: for an app's own handlers and guards, which have no [`Ctx`]; in an object it is the
    /// same as [`Ctx::sleep`].
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// use std::time::Duration;
    ///
    /// # fn app() -> App {
    /// App::new().get("/slow", async |_, env: Env| {
    ///     env.sleep(Duration::from_millis(100)).await;
    ///     Ok(Response::text(200, "patience"))
    /// })
    /// # }
    /// ```
    pub fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + use<> {
        self.inner.sleep(duration)
    }

    /// Runs `work` for at most `limit`, as [`Ctx::timeout`] does.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// use std::time::Duration;
    ///
    /// # fn app() -> App {
    /// App::new().get("/quote", async |_, env: Env| {
    ///     let quote = env.fetch(Request::new("GET", "https://example.com/quote"));
    ///     match env.timeout(Duration::from_millis(200), quote).await {
    ///         Some(Ok(quote)) => Ok(quote),
    ///         _ => Ok(Response::text(200, "Festina lente.")),
    ///     }
    /// })
    /// # }
    /// ```
    pub fn timeout<W: Future>(
        &self,
        limit: Duration,
        work: W,
    ) -> impl Future<Output = Option<W::Output>> + use<W> {
        within(self.sleep(limit), work)
    }
}

/// The result of `work`, unless `time` is over first.
async fn within<T>(time: impl Future<Output = ()>, work: impl Future<Output = T>) -> Option<T> {
    let (mut time, mut work) = (pin!(time), pin!(work));
    poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(result) => Poll::Ready(Some(result)),
        Poll::Pending => time.as_mut().poll(context).map(|()| None),
    })
    .await
}

impl fmt::Debug for Env {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Env")
    }
}
