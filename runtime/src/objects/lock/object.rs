//! The object: each method is a decision of the core, followed by its effects.

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

/// The key of the state. The entry is kept while the lock is free, because it holds the token.
const STATE: &str = "state";
/// The key prefix of the record of broken leases, one entry each.
const BROKEN: &str = "broken/";
/// The key of the number of times the lock was broken.
const BROKEN_COUNT: &str = "broken";
/// The maximum number of entries in the record of broken leases.
pub const MAX_BROKEN: u64 = 100;

/// A named lock; see the [module](super).
#[durable_object]
pub struct Lock {
    #[memory]
    queue: RefCell<Queue>,
    #[memory]
    calls: RefCell<BTreeMap<Ticket, WaitingCall>>,
}

/// A call of `acquire` that has not been answered.
#[derive(Default)]
struct WaitingCall {
    answer: Option<Result<Lease, LockError>>,
    waker: Option<Waker>,
}

#[durable_object]
impl Lock {
    /// Acquires a lease: immediately, or after the requests before it, within `wait_ms`.
    ///
    /// # Errors
    /// - [`LockError::Held`] when the waiting time is over.
    /// - [`Invalid`](LockError::Invalid), [`Overloaded`](LockError::Overloaded) or
    ///   [`RequestConflict`](LockError::RequestConflict).
    /// - [`Cancelled`](LockError::Cancelled) or [`Superseded`](LockError::Superseded) while it
    ///   waits.
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
                let obstacle = self.present(ctx)?.obstacle(ahead, &holder);
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

    /// Extends a lease to `ttl_ms` from now. It keeps its token.
    ///
    /// # Errors
    /// [`LockError::Lost`] or [`Invalid`](LockError::Invalid).
    #[rpc]
    #[post("/renew")]
    fn renew(&self, ctx: &Ctx, #[body] request: Renew) -> Result<Lease, LockError> {
        self.change(ctx, |state, _| state.renew(&request))
    }

    /// Releases a lease. The lock is granted to the next request immediately.
    ///
    /// # Errors
    /// [`LockError::Lost`].
    #[rpc]
    #[post("/release")]
    fn release(&self, ctx: &Ctx, #[body] request: Release) -> Result<(), LockError> {
        self.change(ctx, |state, _| state.release(&request))
    }

    /// Cancels a request by its id: removes it from the queue or, if it was granted meanwhile,
    /// releases its lease. A caller that gives up can clean up with it.
    ///
    /// # Errors
    /// [`LockError::Invalid`].
    #[rpc]
    #[post("/cancel")]
    fn cancel(&self, ctx: &Ctx, request_id: &str) -> Result<Cancelled, LockError> {
        request::check_request_id(request_id)?;
        let (cancelled, ticket) = self.change(ctx, |state, queue| {
            let cancelled = state.cancel(queue, request_id);
            self.withdraw_answers(state);
            Ok(cancelled)
        })?;
        if let Some(ticket) = ticket {
            self.answer(ticket, Err(LockError::Cancelled));
        }
        Ok(cancelled)
    }

    /// Returns the holder of the lock and the number of waiting requests. Never returns a secret.
    ///
    /// # Errors
    /// Storage failed.
    #[rpc]
    #[get("/")]
    fn status(&self, ctx: &Ctx) -> Result<Status, LockError> {
        Ok(self.present(ctx)?.status(&self.queue.borrow()))
    }

    /// Returns every lease and every waiting request. Never returns a secret.
    ///
    /// # Errors
    /// Storage failed.
    #[rpc]
    #[get("/inspect")]
    fn inspect(&self, ctx: &Ctx) -> Result<Inspection, LockError> {
        Ok(self.present(ctx)?.inspect(&self.queue.borrow()))
    }

    /// Ends every lease by order of an administrator, and records the order. The lock-delays of
    /// those leases start, because their holders are not notified.
    ///
    /// It does not have a route, so that clients cannot reach it. Call it from an app or an object
    /// that has authorised the caller.
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
            // A lease must not be broken without a record.
            record(&ctx.storage(), &broken)?;
            *state = without;
            self.withdraw_answers(state);
            Ok(broken)
        })
    }

    /// Returns the newest 100 orders to break the lock, oldest first.
    ///
    /// # Errors
    /// Storage failed.
    #[rpc]
    fn broken(&self, ctx: &Ctx) -> Result<Vec<Broken>, LockError> {
        let entries = ctx.storage().list(&List::all().prefix(BROKEN))?;
        Ok(entries.into_iter().map(|(_, broken)| broken).collect())
    }

    /// Runs when a lease or a lock-delay is over.
    #[alarm]
    fn expire(&self, ctx: &Ctx) -> Result<(), LockError> {
        self.change(ctx, |_, _| Ok(()))?;
        // The lease may have been renewed since this alarm was set.
        Ok(Self::set_alarm(ctx, &self.present(ctx)?)?)
    }

    /// Returns the state as of now, for reading.
    fn present(&self, ctx: &Ctx) -> Result<State, LockError> {
        let load = || Ok::<State, StorageError>(ctx.storage().get(STATE)?.unwrap_or_default());
        let stored = load()?;
        let mut state = stored.clone();
        state.advance(ctx.now());
        if !state.differs_from(&stored) {
            return Ok(state);
        }
        // A clock that was set back is stored at once, and the alarm is moved. Otherwise the lock's
        // time would stand still until the host's clock has caught up.
        self.change(ctx, |_, _| Ok(()))?;
        let mut state = load()?;
        state.advance(ctx.now());
        Ok(state)
    }

    /// Answers the calls whose leases were granted, and ended before the calls noticed.
    fn withdraw_answers(&self, state: &State) {
        for call in self.calls.borrow_mut().values_mut() {
            if matches!(&call.answer, Some(Ok(lease)) if !state.has_lease(lease.token)) {
                call.answer = Some(Err(LockError::Cancelled));
            }
        }
    }

    /// Makes one decision, then grants the lock to the next request.
    ///
    /// It does not await, so that its writes become durable together and before any response
    /// leaves.
    fn change<T>(
        &self,
        ctx: &Ctx,
        decide: impl FnOnce(&mut State, &mut Queue) -> Result<T, LockError>,
    ) -> Result<T, LockError> {
        let stored: State = ctx.storage().get(STATE)?.unwrap_or_default();
        let mut state = stored.clone();
        state.advance(ctx.now());
        let mut queue = self.queue.borrow_mut();
        // The writes of a failed turn are rolled back, so it must not grant the lock: the caller
        // would have a lease that does not exist. The alarm or the next turn grants it.
        let decided = decide(&mut state, &mut queue)?;
        let granted = state.hand_over(&mut queue, || secret(ctx));
        drop(queue);
        let saved = if state.differs_from(&stored) {
            // The alarm comes first: an alarm without a state is harmless, a state without an alarm
            // is not.
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

    /// A renewal does not move the alarm, which saves a write each time. An alarm that runs too
    /// early is harmless: it checks the state and is set again.
    fn set_alarm(ctx: &Ctx, state: &State) -> Result<(), StorageError> {
        let schedules = Self::schedules(ctx);
        match (state.next_change(), schedules.next_expire("")?) {
            (None, None) => Ok(()),
            (None, Some(_)) => schedules.cancel_expire("").map(|_| ()),
            (Some(change), Some(alarm)) if alarm <= change => Ok(()),
            (Some(change), _) => schedules.expire().at(change),
        }
    }

    /// Answers the earlier call of a repeated request that got the lease. That call was granted the
    /// same lease and has not noticed yet. It must not release the lease because its own caller has
    /// disconnected.
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

/// A call's place in the queue. Dropping it leaves the queue.
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
        // Checked first, so that the lease of a disconnected caller goes to the next one.
        let waited = poll_fn(|context| match gone.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Waited::CallerGone),
            Poll::Pending => self.poll(context.waker()).map(Waited::Answered),
        });
        if let Some(waited) = self.ctx.timeout(limit, waited).await {
            return waited;
        }
        // A lease may have expired at this moment, before its alarm has run.
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

    /// Leaves the queue, unless the call was answered. Returns how many were before it. The lock
    /// may be granted to a later request.
    fn leave(&self) -> Result<usize, LockError> {
        let Some(call) = self.lock.calls.borrow_mut().remove(&self.ticket) else {
            return Ok(0);
        };
        // Outside of `change`, which may fail: a lease granted to a place without a call would be
        // wasted.
        let ahead = self.lock.queue.borrow_mut().leave(self.ticket);
        self.lock.change(self.ctx, |state, _| match call.answer {
            // The lease was granted, and the call ended before it could return it.
            Some(Ok(lease)) => state.release(&Release::of(lease.lease)),
            _ => Ok(()),
        })?;
        Ok(ahead.unwrap_or(0))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        // Storage fails here if the object's memory ends. The queue ends with it.
        let _ = self.leave();
    }
}

/// Waits for the next poll, so that the writes so far are committed. A failed turn rolls back the
/// writes since its last await, and a call that leaves the queue may have granted the lock.
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

/// Returns 128 random bits.
fn secret(ctx: &Ctx) -> String {
    format!("{:016x}{:016x}", ctx.random(), ctx.random())
}

/// Appends to the record of broken leases, and drops entries beyond its bound.
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
