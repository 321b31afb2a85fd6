//! Call provenance: the chain of waiting turns, and whether the caller has disconnected.
//!
//! A turn waits for the calls that its own polls begin. Which turn that is is known by thread and
//! not by the stub: a stub may be kept in memory between turns, or go into background work, which
//! no turn waits for. It waits no longer when the call's future is dropped, or polled by other code.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::{Rc, Weak};
use std::task::{Poll, Waker};

use crate::chain::{CallChain, Link};
use crate::context::Inner;
use crate::effects;

thread_local! {
    static RUNNING: RefCell<Option<RunningTurn>> = const { RefCell::new(None) };
    /// The numbers of the calls that turns of this thread's objects wait for.
    static AWAITED: RefCell<BTreeSet<u64>> = const { RefCell::new(BTreeSet::new()) };
    static NEXT_CALL: Cell<u64> = const { Cell::new(0) };
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
pub(crate) async fn as_turn<T>(
    turn: RunningTurn,
    mut code: Pin<&mut impl Future<Output = T>>,
) -> T {
    let mut turn = Some(turn);
    poll_fn(|context| {
        let entered = Entered::new(&mut turn);
        let polled = code.as_mut().poll(context);
        drop(entered);
        polled
    })
    .await
}

/// Forgets the running turn. For an abort on Workers, which ends it without unwinding: what runs later
/// would begin its calls in the turn's name.
#[cfg(target_arch = "wasm32")]
pub(crate) fn abandon() {
    drop(RUNNING.take());
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

/// The turns that wait for a call begun now: none outside of a turn, none in background work, and
/// none in an atomic turn, which has no await. The second is for [`awaited`].
pub(crate) fn waiting_turns() -> (Rc<CallChain>, Option<AwaitedCall>) {
    if effects::are_held() {
        return Default::default();
    }
    RUNNING.with_borrow(|running| {
        let Some((turn, object)) = running
            .as_ref()
            .and_then(|turn| Some((turn, turn.object.upgrade()?)))
        else {
            return Default::default();
        };
        let call = AwaitedCall::begin(turn);
        let chain = turn.chain.followed_by(Link {
            id: object.state.id(),
            turn: turn.number,
            call: call.number,
            label: object.label(turn.name),
        });
        (chain, Some(call))
    })
}

/// Whether the turn that began a call still waits for it.
pub(crate) fn is_awaited(call: u64) -> bool {
    AWAITED.with_borrow(|awaited| awaited.contains(&call))
}

/// A call that a turn waits for, until this is dropped.
pub(crate) struct AwaitedCall {
    number: u64,
    object: Weak<Inner>,
    turn: u64,
}

impl AwaitedCall {
    fn begin(turn: &RunningTurn) -> Self {
        let number = NEXT_CALL.get();
        NEXT_CALL.set(number.wrapping_add(1));
        AWAITED.with_borrow_mut(|awaited| awaited.insert(number));
        Self {
            number,
            object: turn.object.clone(),
            turn: turn.number,
        }
    }

    fn is_polled_by_its_turn(&self) -> bool {
        RUNNING.with_borrow(|running| {
            running
                .as_ref()
                .is_some_and(|turn| turn.number == self.turn && turn.object.ptr_eq(&self.object))
        })
    }
}

impl Drop for AwaitedCall {
    fn drop(&mut self) {
        // Out of reach only while the thread ends.
        let _ = AWAITED.try_with(|awaited| awaited.borrow_mut().remove(&self.number));
    }
}

/// Waits for the answer of a call. The turn that began the call waits for it as long as it polls
/// this, or will.
pub(crate) async fn awaited<T>(
    mut call: Option<AwaitedCall>,
    answer: impl Future<Output = T>,
) -> T {
    let mut answer = pin!(answer);
    poll_fn(move |context| {
        // In background work, for one.
        drop(call.take_if(|call| !call.is_polled_by_its_turn()));
        answer.as_mut().poll(context)
    })
    .await
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
