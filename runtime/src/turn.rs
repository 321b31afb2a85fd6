//! Turns: which events of one object may overlap, and in which order they start.
//!
//! The queue has the rules of a fair reader-writer lock: shared turns run together, an exclusive
//! turn runs alone, first come, first served. One exception keeps nested calls from waiting for
//! themselves: a shared turn that was caused by a running shared turn of the same object joins it
//! immediately.

pub(crate) mod awaited_calls;
pub(crate) mod caller;
pub(crate) mod chain;
pub(crate) mod effects;
#[cfg(test)]
mod model;
pub(crate) mod user_code;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// A future of this thread.
pub(crate) type LocalFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Polls a future once without a waker. Most turns are done after one poll.
pub(crate) fn poll_once<T>(future: &mut LocalFuture<'_, T>) -> Option<T> {
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Shared,
    Exclusive,
}

/// The call would wait for a turn that waits for the call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct WouldWaitForItself;

#[derive(Default)]
struct Queue {
    next: u64,
    shared: Vec<u64>,
    exclusive: Option<u64>,
    waiting: VecDeque<Waiting>,
}

struct Waiting {
    turn: u64,
    mode: Mode,
    waker: Option<Waker>,
    admitted: bool,
}

impl Waiting {
    fn new(turn: u64, mode: Mode) -> Self {
        Self {
            turn,
            mode,
            waker: None,
            admitted: false,
        }
    }
}

impl Queue {
    fn admits(&self, mode: Mode) -> bool {
        self.exclusive.is_none() && (mode == Mode::Shared || self.shared.is_empty())
    }

    fn start(&mut self, turn: u64, mode: Mode) {
        match mode {
            Mode::Shared => self.shared.push(turn),
            Mode::Exclusive => self.exclusive = Some(turn),
        }
    }

    /// Admits turns from the front while possible. Admitted turns stay in the list until they are
    /// polled, but count as running.
    fn advance(&mut self) {
        let mut index = 0;
        while index < self.waiting.len() {
            if !self.waiting[index].admitted {
                let (turn, mode) = (self.waiting[index].turn, self.waiting[index].mode);
                if !self.admits(mode) {
                    break;
                }
                self.start(turn, mode);
                let waiting = &mut self.waiting[index];
                waiting.admitted = true;
                if let Some(waker) = waiting.waker.take() {
                    waker.wake();
                }
            }
            index += 1;
        }
    }

    fn leave(&mut self, turn: u64) {
        if self.exclusive == Some(turn) {
            self.exclusive = None;
        }
        self.shared.retain(|running| *running != turn);
        self.waiting.retain(|waiting| waiting.turn != turn);
        self.advance();
    }

    fn is_running(&self, turn: u64) -> bool {
        self.exclusive == Some(turn) || self.shared.contains(&turn)
    }
}

/// The turns of one object.
#[derive(Clone)]
pub(crate) struct Turns(Rc<RefCell<Queue>>);

impl Turns {
    /// `first` is the first turn's number. A random one keeps the numbers of different activations
    /// apart.
    pub(crate) fn new(first: u64) -> Self {
        Self(Rc::new(RefCell::new(Queue {
            next: first,
            ..Queue::default()
        })))
    }

    /// Adds a turn to the queue. `causes` are the turns of this object that wait for it.
    pub(crate) fn enter(
        &self,
        mode: Mode,
        causes: impl Iterator<Item = u64>,
    ) -> Result<Entering, WouldWaitForItself> {
        let mut queue = self.0.borrow_mut();
        let mut joins = false;
        for cause in causes.filter(|cause| queue.is_running(*cause)) {
            if mode == Mode::Exclusive || queue.exclusive == Some(cause) {
                return Err(WouldWaitForItself);
            }
            joins = true;
        }
        let turn = queue.next;
        queue.next = queue.next.wrapping_add(1);
        let waits = !joins
            && (!queue.admits(mode) || queue.waiting.iter().any(|waiting| !waiting.admitted));
        if waits {
            queue.waiting.push_back(Waiting::new(turn, mode));
        } else {
            queue.start(turn, mode);
        }
        Ok(Entering {
            permit: Some(Permit {
                turns: self.clone(),
                turn,
            }),
            waits,
            joins,
        })
    }

    /// Adds a turn to the front of the queue, to run before any other turn.
    pub(crate) fn enter_ahead(&self, mode: Mode) -> Entering {
        let mut queue = self.0.borrow_mut();
        let turn = queue.next;
        queue.next = queue.next.wrapping_add(1);
        let waits = !queue.admits(mode);
        if waits {
            queue.waiting.push_front(Waiting::new(turn, mode));
        } else {
            queue.start(turn, mode);
        }
        Entering {
            permit: Some(Permit {
                turns: self.clone(),
                turn,
            }),
            waits,
            joins: false,
        }
    }
}

/// A place in the queue. Resolves to the permit when the turn may start.
pub(crate) struct Entering {
    permit: Option<Permit>,
    waits: bool,
    joins: bool,
}

impl Entering {
    /// Returns `true` if the turn has to wait.
    pub(crate) fn waits(&self) -> bool {
        self.waits
    }

    /// Returns `true` if a running turn of the object waits for this one.
    pub(crate) fn joins(&self) -> bool {
        self.joins
    }
}

impl Future for Entering {
    type Output = Permit;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Permit> {
        let admitted = match &self.permit {
            Some(permit) if self.waits => {
                let mut queue = permit.turns.0.borrow_mut();
                match queue
                    .waiting
                    .iter_mut()
                    .find(|waiting| waiting.turn == permit.turn)
                {
                    Some(waiting) if !waiting.admitted => {
                        waiting.waker = Some(context.waker().clone());
                        false
                    }
                    _ => {
                        queue.waiting.retain(|waiting| waiting.turn != permit.turn);
                        true
                    }
                }
            }
            _ => true,
        };
        if !admitted {
            return Poll::Pending;
        }
        match self.permit.take() {
            Some(permit) => Poll::Ready(permit),
            // The future was polled again after it resolved.
            None => Poll::Pending,
        }
    }
}

/// The permission to run. The next turn starts when it is dropped.
pub(crate) struct Permit {
    turns: Turns,
    turn: u64,
}

impl Permit {
    pub(crate) fn turn(&self) -> u64 {
        self.turn
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.turns.0.borrow_mut().leave(self.turn);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(turns: &Turns, mode: Mode) -> LocalFuture<'static, Permit> {
        Box::pin(
            turns
                .enter(mode, std::iter::empty())
                .expect("no cause, no cycle"),
        )
    }

    #[test]
    fn shared_turns_run_together_and_an_exclusive_one_alone() {
        let turns = Turns::new(0);
        let first = poll_once(&mut enter(&turns, Mode::Shared)).unwrap();
        let second = poll_once(&mut enter(&turns, Mode::Shared)).unwrap();
        let mut writer = enter(&turns, Mode::Exclusive);
        assert!(poll_once(&mut writer).is_none());
        drop(first);
        assert!(poll_once(&mut writer).is_none());
        drop(second);
        let writing = poll_once(&mut writer).unwrap();
        assert!(poll_once(&mut enter(&turns, Mode::Shared)).is_none());
        drop(writing);
        assert!(poll_once(&mut enter(&turns, Mode::Shared)).is_some());
    }

    #[test]
    fn turns_start_in_the_order_of_arrival() {
        let turns = Turns::new(0);
        let reading = poll_once(&mut enter(&turns, Mode::Shared)).unwrap();
        let mut writer = enter(&turns, Mode::Exclusive);
        let mut late_reader = enter(&turns, Mode::Shared);
        // The late reader could run together with the first one, but the writer came before it.
        assert!(poll_once(&mut late_reader).is_none());
        drop(reading);
        assert!(poll_once(&mut late_reader).is_none());
        let writing = poll_once(&mut writer).unwrap();
        drop(writing);
        assert!(poll_once(&mut late_reader).is_some());
    }

    #[test]
    fn turn_entered_ahead_starts_before_those_that_wait() {
        let turns = Turns::new(0);
        let reading = poll_once(&mut enter(&turns, Mode::Shared)).unwrap();
        let mut waiting = enter(&turns, Mode::Exclusive);
        assert!(poll_once(&mut waiting).is_none());
        let mut ahead: LocalFuture<'_, _> = Box::pin(turns.enter_ahead(Mode::Exclusive));
        assert!(poll_once(&mut ahead).is_none());
        drop(reading);
        assert!(poll_once(&mut waiting).is_none());
        let first = poll_once(&mut ahead).unwrap();
        drop(first);
        assert!(poll_once(&mut waiting).is_some());
    }

    #[test]
    fn a_waiting_turn_that_goes_away_holds_up_no_other() {
        let turns = Turns::new(0);
        let writing = poll_once(&mut enter(&turns, Mode::Exclusive)).unwrap();
        let gone = enter(&turns, Mode::Exclusive);
        let mut next = enter(&turns, Mode::Exclusive);
        drop(gone);
        drop(writing);
        assert!(poll_once(&mut next).is_some());
    }

    #[test]
    fn a_turn_admitted_but_never_polled_again_still_leaves() {
        let turns = Turns::new(0);
        let writing = poll_once(&mut enter(&turns, Mode::Exclusive)).unwrap();
        let admitted = enter(&turns, Mode::Exclusive);
        drop(writing);
        drop(admitted);
        assert!(poll_once(&mut enter(&turns, Mode::Exclusive)).is_some());
    }

    #[test]
    fn a_call_that_comes_back_is_a_cycle_if_it_must_wait_for_its_cause() {
        let turns = Turns::new(7);
        let writing = poll_once(&mut enter(&turns, Mode::Exclusive)).unwrap();
        let cause = std::iter::once(writing.turn());
        assert!(turns.enter(Mode::Shared, cause).is_err());
        // A turn of an earlier activation of the object does not count as a cause.
        assert!(turns.enter(Mode::Shared, std::iter::once(3)).is_ok());
    }

    #[test]
    fn a_shared_turn_that_comes_back_joins_its_cause_ahead_of_a_waiting_writer() {
        let turns = Turns::new(0);
        let reading = poll_once(&mut enter(&turns, Mode::Shared)).unwrap();
        let mut writer = enter(&turns, Mode::Exclusive);
        assert!(poll_once(&mut writer).is_none());
        let back = turns
            .enter(Mode::Shared, std::iter::once(reading.turn()))
            .unwrap();
        assert!(!back.waits());
        assert!(
            turns
                .enter(Mode::Exclusive, std::iter::once(reading.turn()))
                .is_err()
        );
    }
}
