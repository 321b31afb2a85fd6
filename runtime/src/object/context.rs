//! The context of a handler: its access to the platform.

use std::fmt;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use crate::engine::activation::Activation;
use crate::engine::running_turn;
use crate::error::CallError;
use crate::error::fault::Fault;
use crate::http::{Request, Response};
use crate::platform::{self, Aborted, ObjectState};
use crate::socket::Sockets;
use crate::storage::Storage;
use crate::time::{Timestamp, within};
use crate::turn::caller::Caller;
use crate::turn::effects;
use crate::turn::user_code::Guarded;

/// The platform as seen by one turn of one object. A handler that uses it takes `ctx: &Ctx`.
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

    /// Returns the name by which the object was reached. Returns `None` if it was reached by id, or
    /// if the name has more than 1,024 bytes (P71).
    #[must_use]
    pub fn name(&self) -> Option<String> {
        self.inner.state.name()
    }

    /// Returns the object's storage.
    #[must_use]
    pub fn storage(&self) -> Storage {
        Storage::new(self.inner.clone())
    }

    /// Returns the object's sockets. `S` is the session type that the `#[websocket]` route accepts
    /// with.
    #[must_use]
    pub fn sockets<S>(&self) -> Sockets<S> {
        Sockets::new(self.inner.state.clone())
    }

    /// Returns the bindings and variables of the deployment.
    #[must_use]
    pub fn env(&self) -> Env {
        Env::new(self.inner.state.env())
    }

    /// Returns the current time in milliseconds. On Cloudflare it does not advance between I/O
    /// operations. In the simulator it is virtual.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.inner.state.now())
    }

    /// Fills `bytes` with random bits. They are cryptographically secure on the hosts and seeded in
    /// the simulator.
    pub fn random_bytes(&self, bytes: &mut [u8]) {
        self.inner.state.random(bytes);
    }

    /// Returns a random 64-bit number, as [`random_bytes`](Self::random_bytes) makes it.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// fn roll(ctx: &Ctx) -> u64 {
    ///     ctx.random() % 6 + 1
    /// }
    /// ```
    #[must_use]
    pub fn random(&self) -> u64 {
        let mut bytes = [0; 8];
        self.inner.state.random(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// Waits for `duration`. Shared turns may run meanwhile. An object that waits cannot be
    /// evicted: for more than a few seconds, use an alarm.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// use std::time::Duration;
    ///
    /// async fn poll_twice(ctx: &Ctx) {
    ///     for _ in 0..2 {
    ///         // … ask for something, then:
    ///         ctx.sleep(Duration::from_secs(1)).await;
    ///     }
    /// }
    /// ```
    pub fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + use<> {
        self.inner.state.sleep(duration)
    }

    /// Runs `work` for at most `limit`. Returns its output, or `None` if the time is over first.
    ///
    /// The time starts with this call. When it is over, `work` is dropped. A call or request that
    /// it was waiting for is abandoned and may still take effect. If both are ready at once, `work`
    /// wins.
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
    /// /// Returns the output of `work`, or `None` if the caller has disconnected.
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
    /// Treat it as a hint, because it may resolve late or never:
    ///
    /// - On the embedded host, an HTTP caller disconnects by closing its connection or the sending
    ///   half of it. This is not noticed if it has sent more than the request before. A network that
    ///   fails silently is not noticed either.
    /// - An object or an app's handler disconnects when it drops the stub's future or is reset. A
    ///   chain of calls is notified link by link: while an object waits for this one, this one's
    ///   caller counts as connected.
    /// - In the simulator, a test disconnects when it drops the stub's future.
    /// - On Cloudflare it resolves for HTTP requests when the platform notices that the client has
    ///   disconnected. This needs `"compatibility_flags": ["enable_request_signal"]` in the
    ///   Wrangler configuration. (Standalone workerd notices a connection that was reset, but not
    ///   one that was closed in order.) With the flag, requests to `async` methods take the
    ///   platform's slower path, the only one that reports a disconnect. It never resolves for
    ///   calls by other objects, by app handlers and by JavaScript.
    /// - In an alarm, in a socket event and in `#[init]` it never resolves, because they have no
    ///   caller.
    pub fn caller_gone(&self) -> impl Future<Output = ()> + '_ {
        self.caller.gone()
    }

    /// Sends a request to an absolute URL, such as `https://example.com/hook`.
    ///
    /// The request is sent when the writes so far are durable. Shared turns may run while it is in
    /// flight. Redirects are followed. Dropping the future aborts the request.
    ///
    /// An alarm may run twice, and so may the requests that it sends: give them an idempotency key.
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
    /// - `Configuration`: the URL is not absolute, or a header cannot be sent.
    /// - `Disconnected`: there was no response.
    /// - `TimedOut`: the response was not complete after 60 s.
    /// - `Undecodable`: the body has more than 32 MiB.
    /// - `Overloaded`: the embedded host has at most 64 requests per thread in flight, and a
    ///   further one waited for 60 s. Or the responses that arrive on its thread exceed 128 MiB
    ///   together.
    ///
    /// A status of 400 or more is not an error here.
    pub fn fetch(
        &self,
        request: Request,
    ) -> impl Future<Output = Result<Response, CallError>> + use<> {
        self.env().fetch(request)
    }

    /// Runs `work` in the background: the response does not wait for it.
    ///
    /// `work` is outside of the turn: it changes the object through calls and storage. Each part
    /// between two awaits is committed separately. The first part may share the turn's commit or
    /// come after the response, so no response may rely on what `work` writes.
    ///
    /// In an atomic turn (`fn`), `work` starts when the turn has succeeded. If the turn fails,
    /// `work` is dropped. A panic in `work` resets the object.
    ///
    /// The turn does not wait for the calls that `work` starts, so they may lead back to this
    /// object. They start when the turn is over. A call that an `async` turn itself has started
    /// counts as awaited by it until `work` first polls the call's future: start such a call inside
    /// `work`.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// fn notify(ctx: &Ctx, hook: String) {
    ///     let env = ctx.env();
    ///     ctx.wait_until(async move {
    ///         // A failure has no effect on the turn.
    ///         let _ = env.fetch(Request::new("POST", &hook)).await;
    ///     });
    /// }
    /// ```
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

    /// Resets the object immediately. Uncommitted writes and memory are discarded, and callers get
    /// [`CallError::Reset`](crate::CallError::Reset). The next event loads the object anew.
    ///
    /// On a busy object, turns share a commit. Turns that ended just before and wait for the same
    /// commit are dropped too. Their callers have no reply yet and also get the reset.
    ///
    /// On Cloudflare no destructor runs, and what the running turn holds stays in memory. The
    /// runtime replaces the WebAssembly instance after hundreds of aborts, or when they have leaked
    /// 8 MiB. Other objects see this as an eviction.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// fn check(ctx: &Ctx, total: i64) {
    ///     if total < 0 {
    ///         ctx.abort("the total is negative");
    ///     }
    /// }
    /// ```
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

/// Bindings and variables: gives an app or an object access to other objects.
#[derive(Clone)]
pub struct Env {
    pub(crate) inner: platform::Env,
}

impl Env {
    pub(crate) fn new(inner: platform::Env) -> Self {
        Self { inner }
    }

    /// Returns a variable or secret. On Cloudflare it comes from the Wrangler configuration, on the
    /// embedded host from the process's environment.
    ///
    /// A variable of the configuration that is not text is returned as its JSON text: `7` as
    /// `"7"`, `{"a": 1}` as `"{\"a\":1}"`. Read it with `serde_json::from_str`.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// fn limit(env: &Env) -> u32 {
    ///     env.var("LIMIT").and_then(|limit| limit.parse().ok()).unwrap_or(10)
    /// }
    /// ```
    #[must_use]
    pub fn var(&self, name: &str) -> Option<String> {
        self.inner.var(name)
    }

    /// Returns the current time in milliseconds.
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

    /// Waits for `duration`. For an app's own handlers and guards, which have no [`Ctx`]; in an
    /// object it is the same as [`Ctx::sleep`].
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

impl fmt::Debug for Env {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Env")
    }
}
