//! One turn: runs its handler, then commits or rolls back its changes.
//!
//! A turn is a transaction. An atomic turn is one segment. An `async` turn is one segment from each
//! await to the next, because the platform commits at awaits (P12). The storage writes of a failed
//! segment are rolled back by the host's savepoint. Stored fields are written in a turn's last
//! segment and restored as a whole. [`effects`](crate::turn::effects) holds what an atomic turn sends.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use super::input::{Input, Outcome};
use super::instance::{Instance, Resident};
use super::table::{Handler, Run};
use crate::error::fault::Fault;
use crate::object::context::Ctx;
use crate::platform::{Aborted, SegmentEnd};
use crate::turn::effects::Held;
use crate::turn::user_code::{self, Guarded, Panic};

impl Instance {
    /// Runs the handler, and commits or rolls back its changes. A panic fails the turn and ends the
    /// activation, so that the next turn cannot see incomplete changes.
    #[allow(
        clippy::await_holding_refcell_ref,
        reason = "the turns' queue lets only borrows overlap that are allowed to"
    )]
    pub(crate) async fn invoke(&self, handler: Handler, ctx: &Ctx, mut input: Input) -> Outcome {
        let gone = || Fault::Reset("the object left memory".to_owned());
        match handler.run {
            Run::Read(read) => {
                let resident = self.resident.try_borrow().map_err(|_| gone())?;
                let object = resident.as_ref().ok_or_else(gone)?.object.as_any();
                let held = Held::begin();
                let outcome = self.in_one_segment(handler, || {
                    self.outcome(user_code::call(|| read(object, ctx, &mut input)))
                });
                drop(resident);
                self.take_back_hidden_if_failed(&outcome);
                held.end(outcome.is_ok());
                outcome
            }
            Run::Write(write) => {
                let mut resident = self.resident.try_borrow_mut().map_err(|_| gone())?;
                let resident = resident.as_mut().ok_or_else(gone)?;
                self.take_back_hidden(resident);
                let held = Held::begin();
                let outcome = self.in_one_segment(handler, || {
                    let object = resident.object.as_any_mut();
                    let outcome = self.outcome(user_code::call(|| write(object, ctx, &mut input)));
                    self.store(resident, outcome, self.inner.storage.wiped.get())
                });
                let outcome = self.take_back_if_failed(resident, outcome);
                held.end(outcome.is_ok());
                outcome
            }
            Run::Shared(shared) => {
                let resident = self.resident.try_borrow().map_err(|_| gone())?;
                let object = resident.as_ref().ok_or_else(gone)?.object.as_any();
                let turn = async { self.outcome(Guarded::new(shared(object, ctx, input)).await) };
                let outcome = self.in_segments(handler, turn).await;
                drop(resident);
                self.take_back_hidden_if_failed(&outcome);
                outcome
            }
            Run::Exclusive(exclusive) => {
                let mut resident = self.resident.try_borrow_mut().map_err(|_| gone())?;
                let resident = resident.as_mut().ok_or_else(gone)?;
                self.take_back_hidden(resident);
                let wiped = Cell::new(false);
                let turn = async {
                    let object = resident.object.as_any_mut();
                    let mut running = Guarded::new(exclusive(object, ctx, input));
                    let ran = poll_fn(|context| {
                        let before = self.inner.storage.wiped.get();
                        let polled = Pin::new(&mut running).poll(context);
                        let after = self.inner.storage.wiped.get();
                        wiped.set(wiped.get() || (after && !before));
                        polled
                    });
                    let outcome = self.outcome(ran.await);
                    drop(running);
                    self.store(resident, outcome, wiped.get())
                };
                let outcome = self.in_segments(handler, turn).await;
                self.take_back_if_failed(resident, outcome)
            }
        }
    }

    fn outcome(&self, ran: Result<Outcome, Panic>) -> Outcome {
        ran.unwrap_or_else(|panic| Err(self.panicked(&panic)))
    }

    /// Handles a panic in this object's code: the activation and all uncommitted writes are lost.
    pub(crate) fn panicked(&self, panic: &Panic) -> Fault {
        if let Some(aborted) = panic.downcast_ref::<Aborted>() {
            return Fault::Reset(aborted.0.clone());
        }
        self.inner.state.reset("the object's code panicked");
        Fault::Panicked
    }

    fn in_one_segment(&self, handler: Handler, turn: impl FnOnce() -> Outcome) -> Outcome {
        let end = |outcome: &Outcome| match outcome {
            Ok(_) => SegmentEnd::Success,
            Err(_) => SegmentEnd::Failure,
        };
        self.segment(handler, turn, end).flatten()
    }

    async fn in_segments(&self, handler: Handler, turn: impl Future<Output = Outcome>) -> Outcome {
        let mut turn = pin!(turn);
        let end = |polled: &Poll<Outcome>| match polled {
            Poll::Pending => SegmentEnd::Await,
            Poll::Ready(Ok(_)) => SegmentEnd::Success,
            Poll::Ready(Err(_)) => SegmentEnd::Failure,
        };
        poll_fn(|context| {
            self.segment(handler, || turn.as_mut().poll(context), end)
                .unwrap_or_else(|fault| Poll::Ready(Err(fault)))
        })
        .await
    }

    /// Runs `body`. If `end` says that its result is a failure, storage and everything cached of it
    /// are restored.
    fn segment<T>(
        &self,
        handler: Handler,
        body: impl FnOnce() -> T,
        end: impl Fn(&T) -> SegmentEnd,
    ) -> Result<T, Fault> {
        let state = &self.inner.state;
        let wiped_before = self.inner.storage.wiped.get();
        let mut body = Some(body);
        let mut ran = None;
        let closed = state.segment(handler.key(), &mut || {
            let result = body.take().map(|body| body());
            let end = result.as_ref().map_or(SegmentEnd::Failure, &end);
            ran = result;
            end
        });
        let failed = ran
            .as_ref()
            .is_none_or(|result| end(result) == SegmentEnd::Failure);
        if failed || closed.is_err() {
            self.inner.timetable.forget();
            self.inner.storage.wiped.set(wiped_before);
        }
        if let Err(fault) = closed {
            state.reset("a turn could not be closed");
            return Err(fault);
        }
        ran.ok_or_else(|| Fault::Reset("the turn did not run".to_owned()))
    }

    /// Writes the stored fields of a turn that succeeded.
    fn store(&self, resident: &mut Resident, outcome: Outcome, wiped_by_itself: bool) -> Outcome {
        let reply = outcome?;
        // After `delete_all` the fields have their defaults, whatever their values at the end of
        // the turn.
        if wiped_by_itself {
            return Ok(reply);
        }
        let Resident { object, fields } = resident;
        user_code::call(|| object.store(fields)).map_err(|panic| self.panicked(&panic))??;
        let wiped_beside_it = self.inner.storage.wiped.get();
        if wiped_beside_it {
            // The deletion came before the writes of this turn, so its changes are kept.
            fields.forget_stored();
        }
        fields.commit().inspect_err(|_| {
            self.inner.state.reset("stored fields could not be written");
        })?;
        if wiped_beside_it {
            // Fields that the turn did not change get their defaults.
            self.inner.storage.wiped.set(false);
            self.restore(resident);
        }
        Ok(reply)
    }

    /// Runs after the segment was closed, because some fields are restored from storage, which must
    /// have been rolled back.
    fn take_back_if_failed(&self, resident: &mut Resident, outcome: Outcome) -> Outcome {
        let ends_memory = matches!(outcome, Err(Fault::Panicked | Fault::Reset(_)));
        if outcome.is_err() && !ends_memory {
            resident.fields.discard();
            self.restore(resident);
        }
        outcome
    }

    /// A turn that borrowed the object as shared may nevertheless have changed it, through a
    /// `Mutex` or an atomic inside another type, which the attribute cannot detect.
    fn take_back_hidden_if_failed(&self, outcome: &Outcome) {
        match outcome {
            Ok(_) | Err(Fault::Panicked | Fault::Reset(_)) => {}
            Err(_) => self.may_hide_changes.set(true),
        }
        // If another turn still borrows the fields, they are restored when it ends, or before they
        // are next changed.
        if let Ok(mut resident) = self.resident.try_borrow_mut()
            && let Some(resident) = resident.as_mut()
        {
            self.take_back_hidden(resident);
        }
    }

    /// Restores the fields if they differ from storage although no turn has stored them.
    fn take_back_hidden(&self, resident: &mut Resident) {
        // After `delete_all` all fields are reset to their defaults anyway.
        if !self.may_hide_changes.take() || self.inner.storage.wiped.get() {
            return;
        }
        let Resident { object, fields } = &mut *resident;
        let is_stored = match user_code::call(|| object.store(fields)) {
            Ok(stored) => stored.is_ok() && !fields.would_write(),
            Err(panic) => return drop(self.panicked(&panic)),
        };
        fields.discard();
        if !is_stored {
            self.restore(resident);
        }
    }

    /// Restores the fields from before the turn, or ends the activation.
    fn restore(&self, resident: &mut Resident) {
        let Resident { object, fields } = resident;
        match user_code::call(|| object.restore(fields)) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                // Unexpected, because the same values were readable when the object was loaded.
                tracing::error!(%error, "a turn could not be rolled back in memory");
                self.inner
                    .state
                    .reset("a failed turn could not be rolled back");
            }
            Err(panic) => drop(self.panicked(&panic)),
        }
    }

    /// After `delete_all`: resets the fields to their defaults as soon as no turn borrows them.
    pub(crate) fn reload_if_wiped(&self) {
        let wiped = &self.inner.storage.wiped;
        if !wiped.get() {
            return;
        }
        if let Ok(mut resident) = self.resident.try_borrow_mut() {
            wiped.set(false);
            if let Some(resident) = resident.as_mut() {
                resident.fields.forget();
                self.restore(resident);
            }
            self.inner.state.release_storage_if_empty();
        }
    }
}
