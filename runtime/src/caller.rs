//! Call provenance: the chain of waiting turns, and whether the caller has disconnected.
//!
//! A turn waits for the calls that its own polls begin. Which turn that is is known by thread and
//! not by the stub: a stub may be kept in memory between turns, or go into background work, which
//! no turn waits for.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::{Rc, Weak};
use std::task::{Poll, Waker};

use crate::chain::{CallChain, Link};
use crate::context::Inner;

thread_local! {
    static RUNNING: RefCell<Option<RunningTurn>> = const { RefCell::new(None) };
}

/// The turn whose code runs. Its link in the chain is made when it calls out: most turns never do.
pub(crate) struct RunningTurn {
    /// Weak: an abort on Workers leaves it here until the next turn runs.
    pub(crate) object: Weak<Inner>,
    pub(crate) number: u64,
    pub(crate) name: &'static str,
    pub(crate) chain: Rc<CallChain>,
}

/// Drives the code of a turn; the calls that it begins are awaited by that turn.
pub(crate) async fn as_turn<T>(turn: RunningTurn, code: impl Future<Output = T>) -> T {
    let mut code = pin!(code);
    let mut turn = Some(turn);
    poll_fn(|context| {
        let entered = Entered::new(&mut turn);
        let polled = code.as_mut().poll(context);
        drop(entered);
        polled
    })
    .await
}

/// One poll of a turn. What ran before it runs again afterwards, also if the poll unwinds.
struct Entered<'a> {
    turn: &'a mut Option<RunningTurn>,
}

impl<'a> Entered<'a> {
    fn new(turn: &'a mut Option<RunningTurn>) -> Self {
        RUNNING.with_borrow_mut(|running| std::mem::swap(running, turn));
        Self { turn }
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        RUNNING.with_borrow_mut(|running| std::mem::swap(running, self.turn));
    }
}

/// The turns that wait for a call begun now: none outside of a turn, and none in background work.
pub(crate) fn waiting_turns() -> Rc<CallChain> {
    RUNNING.with_borrow(|running| {
        let Some((turn, object)) = running
            .as_ref()
            .and_then(|turn| Some((turn, turn.object.upgrade()?)))
        else {
            return Rc::default();
        };
        turn.chain.followed_by(Link {
            id: object.state.id(),
            turn: turn.number,
            label: object.label(turn.name),
        })
    })
}

/// What caused a turn. The default is that of events without a caller: alarms, sockets,
/// initialisations.
#[derive(Clone, Default)]
pub(crate) struct Origin {
    pub(crate) chain: Rc<CallChain>,
    pub(crate) caller: Caller,
}

/// Who waits for a turn's answer.
#[derive(Clone, Default)]
pub(crate) struct Caller(Option<Rc<Presence>>);

type Ask = Box<dyn FnOnce(Caller)>;

#[derive(Default)]
struct Presence {
    /// What has to be done before it is told.
    ask: Cell<Option<Ask>>,
    gone: Cell<bool>,
    waiting: RefCell<Vec<Waker>>,
}

impl Caller {
    /// A caller that the platform watches; it tells with [`leave`](Self::leave).
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn watched() -> Self {
        Self(Some(Rc::default()))
    }

    /// A caller that the platform watches from the moment a turn wants to know.
    #[cfg(target_arch = "wasm32")]
    pub(crate) fn asked(ask: impl FnOnce(Self) + 'static) -> Self {
        let ask = Cell::new(Some(Box::new(ask) as Ask));
        Self(Some(Rc::new(Presence {
            ask,
            ..Presence::default()
        })))
    }

    /// The caller hung up.
    pub(crate) fn leave(&self) {
        if let Some(presence) = &self.0
            && !presence.gone.replace(true)
        {
            // Not under the borrow: a waker may run what it wakes.
            let waiting = presence.waiting.take();
            waiting.into_iter().for_each(Waker::wake);
        }
    }

    /// Resolves when the caller hung up; never if nobody would notice.
    pub(crate) fn gone(&self) -> impl Future<Output = ()> + '_ {
        poll_fn(|context| {
            let Some(presence) = &self.0 else {
                return Poll::Pending;
            };
            if let Some(ask) = presence.ask.take() {
                ask(self.clone());
            }
            if presence.gone.get() {
                return Poll::Ready(());
            }
            let mut waiting = presence.waiting.borrow_mut();
            let waker = context.waker();
            if !waiting.iter().any(|known| known.will_wake(waker)) {
                waiting.push(waker.clone());
            }
            Poll::Pending
        })
    }
}
