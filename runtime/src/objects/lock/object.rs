//! The object: each method a decision of the core, and what follows from it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::ops::ControlFlow;
use std::pin::pin;
use std::task::{Poll, Waker};
use std::time::Duration;

use anchorhold::prelude::*;
use anchorhold::{List, Storage};

use super::core::{Entered, Queue, State, Ticket};
use super::{
    Acquire, Break, Broken, Cancelled, Inspection, Lease, LockError, Release, Renew, Status,
    request,
};

/// Where the state is. The entry stays when the lock is free: it holds the token.
const STATE: &str = "state";
/// Where the record of broken leases is, one entry each.
const BROKEN: &str = "broken/";
/// How many times the lock was broken.
const BROKEN_COUNT: &str = "broken";
/// How many entries the record of broken leases keeps.
pub const MAX_BROKEN: u64 = 100;

/// A named lock; see the [module](super).
#[durable_object]
pub struct Lock {
    #[memory]
    queue: RefCell<Queue>,
    #[memory]
    calls: RefCell<BTreeMap<Ticket, WaitingCall>>,
}

/// A call of `acquire` that is not answered.
#[derive(Default)]
struct WaitingCall {
    answer: Option<Result<Lease, LockError>>,
    waker: Option<Waker>,
}

#[durable_object]
impl Lock {
    /// Gets a lease: at once, or when those who came before are done, within `wait_ms`.
    ///
    /// # Errors
    /// [`LockError::Held`] when the waiting time is over, [`Invalid`](LockError::Invalid),
    /// [`Overloaded`](LockError::Overloaded), [`RequestConflict`](LockError::RequestConflict);
    /// while it waits [`Cancelled`](LockError::Cancelled) and
    /// [`Superseded`](LockError::Superseded).
    #[rpc]
    #[post("/acquire")]
    async fn acquire(&self, ctx: &Ctx, #[body] request: Acquire) -> Result<Lease, LockError> {
        let wait = Duration::from_millis(request.wait_ms);
        let holder = request.holder.clone();
        let entered = self.change(ctx, |state, queue| {
            Ok(match state.enter(queue, request)? {
                Entered::Holds(lease) => ControlFlow::Break(lease),
                Entered::Waits { ticket, replaced } => {
                    if let Some(replaced) = replaced {
                        self.answer(replaced, Err(LockError::Superseded));
                    }
                    ControlFlow::Continue(Place::take(self, ctx, ticket))
                }
            })
        })?;
        let place = match entered {
            ControlFlow::Break(lease) => {
                self.answer_instead(&lease);
                return Ok(lease);
            }
            ControlFlow::Continue(place) => place,
        };
        match place.wait(wait).await {
            Waited::Answered(answer) => answer,
            Waited::Over => {
                let ahead = place.leave()?;
                let obstacle = Self::present(ctx)?.obstacle(ahead, &holder);
                keep_writes().await;
                Err(LockError::Held(obstacle))
            }
            Waited::CallerGone => {
                place.leave()?;
                keep_writes().await;
                Err(LockError::Cancelled)
            }
        }
    }

    /// Lets a lease live on, for `ttl_ms` from now; it keeps its token.
    ///
    /// # Errors
    /// [`LockError::Lost`], [`Invalid`](LockError::Invalid).
    #[rpc]
    #[post("/renew")]
    fn renew(&self, ctx: &Ctx, #[body] request: Renew) -> Result<Lease, LockError> {
        self.change(ctx, |state, _| state.renew(&request))
    }

    /// Ends a lease. The lock goes to the next at once.
    ///
    /// # Errors
    /// [`LockError::Lost`].
    #[rpc]
    #[post("/release")]
    fn release(&self, ctx: &Ctx, #[body] request: Release) -> Result<(), LockError> {
        self.change(ctx, |state, _| state.release(&request))
    }

    /// Takes a request back by its id: out of the queue or, if it got its lease meanwhile, by
    /// releasing that. So a caller that gave up leaves nothing behind.
    ///
    /// # Errors
    /// [`LockError::Invalid`].
    #[rpc]
    #[post("/cancel")]
    fn cancel(&self, ctx: &Ctx, request_id: &str) -> Result<Cancelled, LockError> {
        request::check_request_id(request_id)?;
        let (cancelled, ticket) =
            self.change(ctx, |state, queue| Ok(state.cancel(queue, request_id)))?;
        if let Some(ticket) = ticket {
            self.answer(ticket, Err(LockError::Cancelled));
        }
        Ok(cancelled)
    }

    /// Who holds the lock, and how many wait; never a secret.
    ///
    /// # Errors
    /// Storage failed.
    #[rpc]
    #[get("/")]
    fn status(&self, ctx: &Ctx) -> Result<Status, LockError> {
        Ok(Self::present(ctx)?.status(&self.queue.borrow()))
    }

    /// Every lease and everybody who waits; never a secret.
    ///
    /// # Errors
    /// Storage failed.
    #[rpc]
    #[get("/inspect")]
    fn inspect(&self, ctx: &Ctx) -> Result<Inspection, LockError> {
        Ok(Self::present(ctx)?.inspect(&self.queue.borrow()))
    }

    /// Ends every lease by order of an administrator, and records the order. The lock-delays of
    /// those leases begin, because their holders do not know yet.
    ///
    /// It has no route, so that no stranger reaches it: call it from an app or an object that has
    /// checked who asks.
    ///
    /// # Errors
    /// [`LockError::Invalid`].
    #[rpc]
    fn break_lock(&self, ctx: &Ctx, request: Break) -> Result<Broken, LockError> {
        request.check()?;
        self.change(ctx, |state, _| {
            let mut without = state.clone();
            let broken = Broken {
                at: ctx.now(),
                by: request.by,
                reason: request.reason,
                leases: without.break_leases(),
            };
            // No lease is broken off the record.
            record(&ctx.storage(), &broken)?;
            *state = without;
            Ok(broken)
        })
    }

    /// The newest 100 orders to break the lock, oldest first.
    ///
    /// # Errors
    /// Storage failed.
    #[rpc]
    fn broken(&self, ctx: &Ctx) -> Result<Vec<Broken>, LockError> {
        let entries = ctx.storage().list(&List::all().prefix(BROKEN))?;
        Ok(entries.into_iter().map(|(_, broken)| broken).collect())
    }

    /// A lease or a lock-delay is over.
    #[alarm]
    fn expire(&self, ctx: &Ctx) -> Result<(), LockError> {
        self.change(ctx, |_, _| Ok(()))?;
        // The lease may have been renewed since this alarm was set.
        Ok(Self::set_alarm(ctx, &Self::present(ctx)?)?)
    }

    /// The state as of now, for reading.
    fn present(ctx: &Ctx) -> Result<State, StorageError> {
        let mut state: State = ctx.storage().get(STATE)?.unwrap_or_default();
        state.advance(ctx.now());
        Ok(state)
    }

    /// One decision, and what follows from it: the next request gets the lock.
    ///
    /// There is no await in here, so what is written becomes durable together, and before
    /// any answer leaves.
    fn change<T>(
        &self,
        ctx: &Ctx,
        decide: impl FnOnce(&mut State, &mut Queue) -> Result<T, LockError>,
    ) -> Result<T, LockError> {
        let stored: State = ctx.storage().get(STATE)?.unwrap_or_default();
        let mut state = stored.clone();
        state.advance(ctx.now());
        let mut queue = self.queue.borrow_mut();
        // A turn that fails takes its writes back. So it hands nothing over: the lease would be given
        // to a caller, and not exist. The alarm or the next turn does it.
        let decided = decide(&mut state, &mut queue)?;
        let granted = state.hand_over(&mut queue, || secret(ctx));
        drop(queue);
        let saved = if state.differs_from(&stored) {
            // An alarm without a state does no harm, a state without an alarm would.
            Self::set_alarm(ctx, &state).and_then(|()| ctx.storage().put(STATE, &state))
        } else {
            Ok(())
        };
        for (ticket, lease) in granted {
            self.answer(ticket, saved.clone().map(|()| lease).map_err(Into::into));
        }
        saved?;
        Ok(decided)
    }

    /// An alarm that comes too early does no harm: it looks, and is set again. So a renewal leaves
    /// it alone, which saves a write each time.
    fn set_alarm(ctx: &Ctx, state: &State) -> Result<(), StorageError> {
        let schedules = Self::schedules(ctx);
        match (state.next_change(), schedules.next_expire("")?) {
            (None, None) => Ok(()),
            (None, Some(_)) => schedules.cancel_expire("").map(|_| ()),
            (Some(change), Some(alarm)) if alarm <= change => Ok(()),
            (Some(change), _) => schedules.expire().at(change),
        }
    }

    /// A repeated request got the lease. The call before it was granted the same one but has not
    /// noticed yet: it may not take the lease back because its own caller is gone.
    fn answer_instead(&self, lease: &Lease) {
        for call in self.calls.borrow_mut().values_mut() {
            if matches!(&call.answer, Some(Ok(granted)) if granted.token == lease.token) {
                call.answer = Some(Err(LockError::Superseded));
            }
        }
    }

    fn answer(&self, ticket: Ticket, answer: Result<Lease, LockError>) {
        let waker = self.calls.borrow_mut().get_mut(&ticket).and_then(|call| {
            call.answer = Some(answer);
            call.waker.take()
        });
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// How a wait in the queue ended.
enum Waited {
    Answered(Result<Lease, LockError>),
    Over,
    CallerGone,
}

/// A call's place in the queue. However the call ends, its place ends with it.
struct Place<'a> {
    lock: &'a Lock,
    ctx: &'a Ctx,
    ticket: Ticket,
}

impl<'a> Place<'a> {
    fn take(lock: &'a Lock, ctx: &'a Ctx, ticket: Ticket) -> Self {
        lock.calls
            .borrow_mut()
            .insert(ticket, WaitingCall::default());
        Self { lock, ctx, ticket }
    }

    async fn wait(&self, limit: Duration) -> Waited {
        if let Poll::Ready(answer) = self.poll(Waker::noop()) {
            return Waited::Answered(answer);
        }
        if limit.is_zero() {
            return Waited::Over;
        }
        let mut gone = pin!(self.ctx.caller_gone());
        // First of all: the lease of a caller that has disconnected goes to the next.
        let waited = poll_fn(|context| match gone.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Waited::CallerGone),
            Poll::Pending => self.poll(context.waker()).map(Waited::Answered),
        });
        if let Some(waited) = self.ctx.timeout(limit, waited).await {
            return waited;
        }
        // A lease may have expired at this very moment, and its alarm be on its way.
        match self.lock.change(self.ctx, |_, _| Ok(())) {
            Err(error) => Waited::Answered(Err(error)),
            Ok(()) => match self.poll(Waker::noop()) {
                Poll::Ready(answer) => Waited::Answered(answer),
                Poll::Pending => Waited::Over,
            },
        }
    }

    fn poll(&self, waker: &Waker) -> Poll<Result<Lease, LockError>> {
        let mut calls = self.lock.calls.borrow_mut();
        let Some(call) = calls.get_mut(&self.ticket) else {
            return Poll::Pending;
        };
        if let Some(answer) = call.answer.take() {
            calls.remove(&self.ticket);
            return Poll::Ready(answer);
        }
        call.waker = Some(waker.clone());
        Poll::Pending
    }

    /// Leaves the queue, if the call is not answered; how many were before it. Those behind it may
    /// be next now.
    fn leave(&self) -> Result<usize, LockError> {
        let Some(call) = self.lock.calls.borrow_mut().remove(&self.ticket) else {
            return Ok(0);
        };
        // Outside of the change, which may fail: a place without a call would be served in vain.
        let ahead = self.lock.queue.borrow_mut().leave(self.ticket);
        self.lock.change(self.ctx, |state, _| match call.answer {
            // It was given the lease, and ended before it could say so.
            Some(Ok(lease)) => state.release(&Release::of(lease.lease)),
            _ => Ok(()),
        })?;
        Ok(ahead.unwrap_or(0))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        // Storage fails here when the object's memory ends, and its queue with it.
        let _ = self.leave();
    }
}

/// Waits for the next poll. A turn that fails takes back what it wrote since its last await, and a
/// call that leaves the queue may have handed the lock to the next.
async fn keep_writes() {
    let mut is_next_poll = false;
    poll_fn(|context| {
        if is_next_poll {
            return Poll::Ready(());
        }
        is_next_poll = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// 128 random bits.
fn secret(ctx: &Ctx) -> String {
    format!("{:016x}{:016x}", ctx.random(), ctx.random())
}

/// Appends to the record of broken leases, and drops what is beyond its bound.
fn record(storage: &Storage, broken: &Broken) -> Result<(), StorageError> {
    let key = |number: u64| format!("{BROKEN}{number:020}");
    let number = storage.get::<u64>(BROKEN_COUNT)?.unwrap_or(0) + 1;
    storage.put(&key(number), broken)?;
    storage.put(BROKEN_COUNT, &number)?;
    if let Some(oldest) = number.checked_sub(MAX_BROKEN) {
        storage.delete(&key(oldest))?;
    }
    Ok(())
}
