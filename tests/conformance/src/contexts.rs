//! What one request keeps and another one uses: stubs, bindings, waiting futures.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use anchorhold::prelude::*;

use crate::Outcome;
use crate::rpc::PeerStub;

thread_local! {
    static STUB: RefCell<Option<PeerStub>> = const { RefCell::new(None) };
    static ENV: RefCell<Option<Env>> = const { RefCell::new(None) };
    static KEYS: RefCell<Keys> = RefCell::default();
    static TURNSTILE: RefCell<Turnstile> = RefCell::default();
    static NAP: RefCell<Option<Nap>> = const { RefCell::new(None) };
}

type Nap = Pin<Box<dyn Future<Output = ()>>>;

/// Calls an object over one stub that all requests share.
pub(crate) async fn kept_stub(_: Request, env: Env) -> Result<Response, Error> {
    let stub = STUB.with_borrow_mut(|stub| {
        stub.get_or_insert_with(|| env.objects::<crate::Peer>().named("kept-by-the-app"))
            .clone()
    });
    Response::json(200, &Outcome::of(stub.hear(1).await))
}

/// Sends several calls over the shared stub without waiting in between.
pub(crate) async fn kept_stub_in_order(_: Request, env: Env) -> Result<Response, Error> {
    let stub = STUB.with_borrow_mut(|stub| {
        stub.get_or_insert_with(|| env.objects::<crate::Peer>().named("kept-by-the-app"))
            .clone()
    });
    let calls: Vec<_> = (100..120).map(|number| stub.hear(number)).collect();
    for call in calls {
        call.await?;
    }
    Ok(Response::empty(204))
}

/// Waits and calls with the bindings of the first request.
pub(crate) async fn kept_env(_: Request, env: Env) -> Result<Response, Error> {
    let env = ENV.with_borrow_mut(|kept| kept.get_or_insert(env).clone());
    env.sleep(Duration::from_millis(5)).await;
    let peer = env.objects::<crate::Peer>().named("kept-env");
    Response::json(200, &Outcome::of(peer.hear(2).await))
}

/// A cache of keys. The first request loads them, and concurrent ones wait.
#[derive(Default)]
struct Keys {
    loading: bool,
    loaded: Option<u64>,
    waiting: Vec<Waker>,
}

/// Returns the keys, which the first request loads for all.
pub(crate) async fn keys(request: Request, env: Env) -> Result<Response, Error> {
    if request.query_value("forget").is_some() {
        KEYS.take();
        return Ok(Response::empty(204));
    }
    let loads = KEYS.with_borrow_mut(|keys| !std::mem::replace(&mut keys.loading, true));
    if loads {
        env.sleep(Duration::from_millis(300)).await;
        let loaded = env.objects::<crate::Peer>().named("keys").hear(7).await?;
        let waiting = KEYS.with_borrow_mut(|keys| {
            keys.loaded = Some(loaded);
            std::mem::take(&mut keys.waiting)
        });
        waiting.into_iter().for_each(Waker::wake);
    }
    let loaded = poll_fn(|context| {
        KEYS.with_borrow_mut(|keys| match keys.loaded {
            Some(loaded) => Poll::Ready(loaded),
            None => {
                keys.waiting.push(context.waker().clone());
                Poll::Pending
            }
        })
    })
    .await;
    // Only the request's own context can do this.
    let heard = env
        .objects::<crate::Peer>()
        .named("keys")
        .hear(loaded)
        .await?;
    Response::json(200, &heard)
}

/// A lock of the app. Each request passes it on to those that wait.
#[derive(Default)]
struct Turnstile {
    taken: bool,
    waiting: Vec<Waker>,
}

/// Passes the turnstile, and holds it for a moment. With a call in flight that was only begun,
/// polled, peeked at or dropped, the platform's answer arrives while the request waits for other
/// requests.
pub(crate) async fn turnstile(request: Request, env: Env) -> Result<Response, Error> {
    let waited = Cell::new(false);
    let how = request.query_value("call").unwrap_or_default();
    let peer = env.objects::<crate::Peer>().named("turnstile");
    let mut call = (!how.is_empty()).then(|| Box::pin(peer.hear(1)));
    if let Some(call) = call.as_mut().filter(|_| how != "begun") {
        poll_fn(|context| {
            let mut unheard = Context::from_waker(Waker::noop());
            let context = if how == "peeked" {
                &mut unheard
            } else {
                context
            };
            Poll::Ready(call.as_mut().poll(context).is_ready())
        })
        .await;
    }
    if how == "dropped" {
        call = None;
    }
    poll_fn(|context| {
        TURNSTILE.with_borrow_mut(|turnstile| {
            if turnstile.taken {
                waited.set(true);
                turnstile.waiting.push(context.waker().clone());
                return Poll::Pending;
            }
            turnstile.taken = true;
            Poll::Ready(())
        })
    })
    .await;
    env.sleep(Duration::from_millis(30)).await;
    // All of them, because an answer may wake a waiting request, which is then in the queue twice.
    let next = TURNSTILE.with_borrow_mut(|turnstile| {
        turnstile.taken = false;
        std::mem::take(&mut turnstile.waiting)
    });
    next.into_iter().for_each(Waker::wake);
    if let Some(call) = call {
        call.await?;
    }
    Response::json(200, &waited.get())
}

/// Begins a sleep in one request, and ends it in another.
pub(crate) async fn nap(request: Request, env: Env) -> Result<Response, Error> {
    if request.query_value("begin").is_some() {
        let mut nap: Nap = Box::pin(env.sleep(Duration::from_millis(200)));
        // Polled once, by a request that ends before the sleep does.
        poll_fn(|context| Poll::Ready(nap.as_mut().poll(context).is_ready())).await;
        NAP.set(Some(nap));
        return Ok(Response::empty(204));
    }
    let Some(nap) = NAP.take() else {
        return Err(Error::conflict(
            "awake",
            "no sleep was begun on this thread",
        ));
    };
    nap.await;
    Ok(Response::empty(204))
}

/// Keeps a stub in memory.
#[durable_object]
pub struct Keeper {
    #[memory]
    stub: Option<PeerStub>,
    #[memory]
    calls: u64,
}

#[durable_object]
impl Keeper {
    #[post("/call")]
    async fn call(&mut self, ctx: &Ctx) -> (u64, Outcome) {
        self.calls += 1;
        let stub = self
            .stub
            .get_or_insert_with(|| ctx.objects::<crate::Peer>().named("kept-by-an-object"))
            .clone();
        (self.calls, Outcome::of(stub.hear(self.calls).await))
    }

    #[post("/panic")]
    fn panic(&self) -> Result<(), Error> {
        panic!("as told")
    }
}
