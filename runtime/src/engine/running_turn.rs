//! The turn whose code is running, and the calls that it waits for.
//!
//! A turn waits for the calls that its own polls start. The turn is identified by the thread
//! instead of the stub: a stub may be kept in memory between turns, or be moved to background work,
//! which no turn waits for. The turn stops waiting when the call's future is dropped, or is polled
//! by other code.

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

/// The turn whose code is running. Its link in the chain is created at its first call, because most
/// turns make none.
pub(crate) struct RunningTurn {
    /// Weak, because an abort on Workers leaves it here until the next turn runs.
    pub(crate) object: Weak<Activation>,
    pub(crate) number: u64,
    pub(crate) name: &'static str,
    pub(crate) chain: Rc<CallChain>,
    has_called: Cell<bool>,
}

impl RunningTurn {
    pub(crate) fn new(
        object: Weak<Activation>,
        number: u64,
        name: &'static str,
        chain: Rc<CallChain>,
    ) -> Self {
        Self {
            object,
            number,
            name,
            chain,
            has_called: Cell::new(false),
        }
    }
}

impl Drop for RunningTurn {
    fn drop(&mut self) {
        if self.has_called.get() {
            awaited_calls::turn_ended(self.number);
        }
    }
}

/// Polls the code of a turn. The turn waits for the calls that the code starts.
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

/// Clears the running turn and discards its held effects, as the turn's end would. For an abort
/// without unwinding: later code would otherwise start its calls on behalf of this turn, and its
/// effects would be held for it.
pub(crate) fn abandon() {
    effects::abandon();
    drop(RUNNING.take());
}

/// One poll of a turn. Dropping it restores the previous turn, also when the poll unwinds.
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

/// Returns the turns that wait for a call started now. There are none outside of a turn, in
/// background work, and in an atomic turn, which cannot await. The second value is for [`awaited`].
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
        if !turn.has_called.replace(true) {
            awaited_calls::turn_calls(turn.number);
        }
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

/// Waits for the response of a call. The turn that started the call waits for it until other code
/// polls this future.
pub(crate) async fn awaited<T>(
    mut call: Option<AwaitedCall>,
    answer: impl Future<Output = T>,
) -> T {
    let mut answer = pin!(answer);
    poll_fn(move |context| {
        // Background work, for example.
        drop(call.take_if(|call| !call.is_polled_by_its_turn()));
        answer.as_mut().poll(context)
    })
    .await
}
