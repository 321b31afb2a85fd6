//! The turn whose code runs, and the calls that it waits for.
//!
//! A turn waits for the calls that its own polls begin. Which turn that is is known by thread and
//! not by the stub: a stub may be kept in memory between turns, or go into background work, which
//! no turn waits for. It waits no longer when the call's future is dropped, or polled by other code.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::{Rc, Weak};

use super::activation::Activation;
use crate::turn::chain::{CallChain, Link};
use crate::turn::{awaited_calls, effects};

thread_local! {
    static RUNNING: RefCell<Option<RunningTurn>> = const { RefCell::new(None) };
    static NEXT_CALL: Cell<u64> = const { Cell::new(0) };
}

/// The turn whose code runs. Its link in the chain is made when it calls out: most turns never do.
pub(crate) struct RunningTurn {
    /// Weak: an abort on Workers leaves it here until the next turn runs.
    pub(crate) object: Weak<Activation>,
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

/// Forgets the running turn and takes back what it holds, as its end would. For an abort where nothing
/// unwinds: what runs later would begin its calls in the turn's name, and hold what it sends for it.
pub(crate) fn abandon() {
    effects::abandon();
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

/// A call that a turn waits for, until this is dropped.
pub(crate) struct AwaitedCall {
    number: u64,
    object: Weak<Activation>,
    turn: u64,
}

impl AwaitedCall {
    fn begin(turn: &RunningTurn) -> Self {
        let number = NEXT_CALL.get();
        NEXT_CALL.set(number.wrapping_add(1));
        awaited_calls::begin(number);
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
        awaited_calls::end(self.number);
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
