//! An object in memory: its value, its turns, and how it handles each event.
//!
//! Both hosts pass their events to this engine.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use super::activation::Activation;
use super::input::{Input, Outcome, Reply, Source};
use super::running_turn::{RunningTurn, as_turn};
use super::table::{Description, Handler};
use crate::error::StorageError;
use crate::error::fault::Fault;
use crate::limits;
use crate::object::context::Ctx;
use crate::platform::ObjectState;
use crate::schedule::run::{LostTries, Try};
use crate::schedule::{Pending, Timetable};
use crate::storage::Shared;
use crate::storage::fields::{FieldStore, Object};
use crate::storage::migrations::migrate;
use crate::turn::caller::Origin;
use crate::turn::{Entering, LocalFuture, Mode, Permit, Turns, poll_once, user_code};

/// How long a turn waits for its start before the object counts as overloaded. It also ends
/// deadlocks that the call chain cannot detect: two objects whose separate turns wait for each
/// other.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// The runs of one alarm event start within this time, because all of them end with the event,
/// which may take 15 minutes (P32). The others start in the next event.
const RUNS_START_WITHIN: Duration = Duration::from_secs(10);

/// The object, and the bytes of its fields in storage.
pub(crate) struct Resident {
    pub(crate) object: Box<dyn Object>,
    pub(crate) fields: FieldStore,
}

enum Readiness {
    Starting(Vec<Waker>),
    Ready,
    Failed(Fault),
}

/// One object in memory.
pub(crate) struct Instance {
    description: &'static Description,
    pub(crate) inner: Rc<Activation>,
    turns: Turns,
    /// Empty only if loading failed.
    pub(crate) resident: RefCell<Option<Resident>>,
    readiness: RefCell<Readiness>,
    /// `true` if the platform's alarm was compared with the pending runs.
    alarm_checked: Cell<bool>,
    /// `true` if a failed turn may have changed fields through a shared reference.
    pub(crate) may_hide_changes: Cell<bool>,
}

impl Drop for Instance {
    fn drop(&mut self) {
        user_code::dispose(self.resident.take());
    }
}

impl Instance {
    /// Loads an object into memory: migrations, stored fields, then `#[init]`.
    pub(crate) fn wake(description: &'static Description, state: ObjectState) -> Rc<Self> {
        let mut first_turn = [0; 8];
        state.random(&mut first_turn);
        let inner = Rc::new(Activation {
            class: &description.class,
            state: state.clone(),
            storage: Shared::default(),
            timetable: Timetable::default(),
        });
        let instance = Rc::new(Self {
            description,
            inner,
            turns: Turns::new(u64::from_le_bytes(first_turn)),
            resident: RefCell::new(None),
            readiness: RefCell::new(Readiness::Starting(Vec::new())),
            alarm_checked: Cell::new(false),
            may_hide_changes: Cell::new(false),
        });
        let loaded = instance
            .load()
            .and_then(|()| Ok(instance.inner.state.loaded()?));
        match loaded {
            Err(fault) => instance.settle(Err(fault)),
            Ok(()) => match description.init {
                None => instance.settle(Ok(())),
                Some(handler) => instance.initialise(handler),
            },
        }
        instance
    }

    /// Returns the reason why the object did not start, if that is known already.
    pub(crate) fn failure(&self) -> Option<Fault> {
        match &*self.readiness.borrow() {
            Readiness::Failed(fault) => Some(fault.clone()),
            _ => None,
        }
    }

    pub(crate) fn description(&self) -> &'static Description {
        self.description
    }

    pub(crate) fn state(&self) -> &ObjectState {
        &self.inner.state
    }

    fn load(&self) -> Result<(), Fault> {
        let Activation {
            class,
            state,
            timetable,
            ..
        } = &*self.inner;
        migrate(state, class)?;
        let mut fields = FieldStore::new(state.clone(), class.keys);
        let object = user_code::call(|| (self.description.load)(&mut fields))
            .map_err(|panic| self.panicked(&panic))??;
        *self.resident.borrow_mut() = Some(Resident { object, fields });
        timetable.wake(state, class)?;
        Ok(())
    }

    fn initialise(self: &Rc<Self>, handler: Handler) {
        let this = self.clone();
        let mut start: LocalFuture<'static, Result<(), Fault>> = Box::pin(async move {
            let outcome = this
                .run(
                    handler,
                    Input::new(Source::Nothing),
                    &Origin::default(),
                    "init",
                )
                .await;
            let result = outcome.map(|_| ()).map_err(|fault| match fault {
                // The waiting methods do not declare this error.
                Fault::Application(error) => Fault::Start(error),
                other => other,
            });
            this.settle(result.clone());
            result
        });
        // An initialisation that cannot await is run before the platform's gate is used, which
        // costs a promise and two turns of the event loop. One that can await starts inside the
        // gate: the reply to a call started outside would wait for the gate to open (P1).
        if handler.may_wait() || poll_once(&mut start).is_none() {
            self.inner.state.block_concurrency_while(start);
        }
    }

    fn settle(&self, result: Result<(), Fault>) {
        let next = match result {
            Ok(()) => Readiness::Ready,
            Err(fault) => {
                let (_, _, message) = fault.summary();
                tracing::error!(
                    class = self.description.class.name,
                    message,
                    "an object did not start"
                );
                self.inner.state.reset("its initialisation failed");
                Readiness::Failed(fault)
            }
        };
        if let Readiness::Starting(waiting) = self.readiness.replace(next) {
            waiting.into_iter().for_each(Waker::wake);
        }
    }

    async fn ready(&self) -> Result<(), Fault> {
        poll_fn(|context| match &mut *self.readiness.borrow_mut() {
            Readiness::Ready => Poll::Ready(Ok(())),
            Readiness::Failed(fault) => Poll::Ready(Err(fault.clone())),
            Readiness::Starting(waiting) => {
                waiting.push(context.waker().clone());
                Poll::Pending
            }
        })
        .await
    }

    /// Runs one turn, from waiting for its start to the commit or rollback of the stored fields.
    pub(crate) async fn turn(
        &self,
        handler: Handler,
        input: Input,
        origin: &Origin,
        name: &'static str,
    ) -> Outcome {
        self.ready().await?;
        self.check_alarm()?;
        self.inner.state.gather().await;
        self.run(handler, input, origin, name).await
    }

    /// Runs once, at the first event that is not an alarm. Sets the platform's alarm for pending
    /// runs without one: the platform gave it up (P29), or a restored backup lost it.
    fn check_alarm(&self) -> Result<(), StorageError> {
        if self.alarm_checked.get() {
            return Ok(());
        }
        let Activation {
            class,
            state,
            timetable,
            ..
        } = &*self.inner;
        timetable.check_alarm(state, class)?;
        self.alarm_checked.set(true);
        Ok(())
    }

    async fn run(
        &self,
        handler: Handler,
        input: Input,
        origin: &Origin,
        name: &'static str,
    ) -> Outcome {
        let permit = self.enter(handler, origin, name).await?;
        self.run_permitted(permit, handler, input, origin, name)
            .await
    }

    async fn run_permitted(
        &self,
        permit: Permit,
        handler: Handler,
        input: Input,
        origin: &Origin,
        name: &'static str,
    ) -> Outcome {
        let turn = RunningTurn::new(
            Rc::downgrade(&self.inner),
            permit.turn(),
            name,
            Rc::clone(&origin.chain),
        );
        let ctx = Ctx::new(self.inner.clone(), origin.caller.clone());
        let mut invoked = pin!(self.invoke(handler, &ctx, input));
        let outcome = as_turn(turn, invoked.as_mut()).await;
        self.reload_if_wiped();
        drop(permit);
        outcome
    }

    /// Waits for the start of a turn.
    async fn enter(
        &self,
        handler: Handler,
        origin: &Origin,
        name: &'static str,
    ) -> Result<Permit, Fault> {
        let id = self.inner.state.id();
        let chain = &origin.chain;
        if chain.is_too_deep() {
            return Err(Fault::CallCycle(format!("calls nest too deep: {chain}")));
        }
        let entering = self
            .turns
            .enter(handler.mode(), chain.turns_of(id))
            .map_err(|_| Fault::CallCycle(chain.cycle_text(id, &self.inner.label(name))))?;
        if entering.joins() {
            // The turn that it would wait for waits for it.
            return Ok(entering.await);
        }
        if !entering.waits() && !self.inner.storage.wiped.get() {
            return Ok(entering.await);
        }
        // Boxed, because few turns wait and every turn's future would otherwise reserve the space.
        let mut started = Box::pin(self.with_fresh_fields(entering, handler.mode()));
        let mut patience = self.inner.state.sleep(MAX_WAIT);
        poll_fn(|context| {
            if let Poll::Ready(permit) = started.as_mut().poll(context) {
                return Poll::Ready(Ok(permit));
            }
            patience.as_mut().poll(context).map(|()| {
                Err(Fault::Overloaded(format!(
                    "{} waited {} s for its turn",
                    self.inner.label(name),
                    MAX_WAIT.as_secs()
                )))
            })
        })
        .await
    }

    /// Waits for the turn. If `delete_all` was called while other turns still borrow the fields,
    /// also waits until those have ended and the fields have their defaults.
    async fn with_fresh_fields(&self, entering: Entering, mode: Mode) -> Permit {
        let mut permit = entering.await;
        loop {
            self.reload_if_wiped();
            if !self.inner.storage.wiped.get() {
                return permit;
            }
            // Each place is taken before the previous one is given up, so that later turns cannot
            // overtake.
            let ahead = self.turns.enter_ahead(Mode::Exclusive);
            drop(permit);
            let alone = ahead.await;
            self.reload_if_wiped();
            let ahead = self.turns.enter_ahead(mode);
            drop(alone);
            permit = ahead.await;
        }
    }

    /// Handles an RPC from another object or the app.
    pub(crate) fn call(
        self: &Rc<Self>,
        method: &str,
        arguments: Vec<u8>,
        origin: Origin,
    ) -> LocalFuture<'static, Result<Vec<u8>, Fault>> {
        let this = self.clone();
        let Some(method) = self.description.method(method) else {
            let fault = no_such_method(self.description, method);
            return Box::pin(std::future::ready(Err(fault)));
        };
        Box::pin(async move {
            let input = Input::new(Source::Encoded {
                bytes: arguments,
                rest: 0,
            });
            match this
                .turn(method.handler, input, &origin, method.name)
                .await?
            {
                Reply::Value(bytes) => limits::check_call(&bytes).map(|()| bytes),
                Reply::Response(_) | Reply::Accept(_) => Err(Fault::Undecodable(
                    "a response cannot be the result of a call".to_owned(),
                )),
            }
        })
    }

    /// Handles the platform's alarm: runs what is due when it fires, one turn each, within the time
    /// for starts. Further runs, and runs that become due meanwhile, wait for the next alarm. A
    /// schedule that sets itself again therefore cannot extend the event indefinitely.
    /// `lost_tries` is what the disk lost of the events before this one. Returns whether a run was tried.
    pub(crate) fn alarm(
        self: &Rc<Self>,
        lost_tries: LostTries,
    ) -> LocalFuture<'static, Result<bool, Fault>> {
        let this = self.clone();
        Box::pin(async move {
            this.ready().await?;
            // During its own event the platform's alarm is not set (P27).
            this.alarm_checked.set(true);
            let Activation {
                class,
                state,
                timetable,
                ..
            } = &*this.inner;
            timetable.forget();
            let due = timetable.due(state, class)?;
            let mut tried = false;
            let mut starts_end = (due.len() > 1).then(|| state.sleep(RUNS_START_WITHIN));
            for pending in due {
                if starts_end.as_mut().and_then(poll_once).is_some() {
                    break;
                }
                let alarm = pending.alarm.name;
                let Some(handler) = this.description.alarm(alarm) else {
                    return Err(no_such_method(this.description, alarm));
                };
                let permit = match this.enter(handler, &Origin::default(), alarm).await {
                    Ok(permit) => permit,
                    Err(fault) => {
                        // The handler is not at fault, so the try is not counted (P30).
                        let (_, _, message) = fault.summary();
                        tracing::warn!(alarm, message, "an alarm cannot start yet");
                        timetable.postpone(state)?;
                        return Ok(tried);
                    }
                };
                tried |= this
                    .run_alarm(permit, handler, &pending, &lost_tries)
                    .await?;
            }
            timetable.rearm(state)?;
            Ok(tried)
        })
    }

    /// Returns whether the run was still due and was tried.
    async fn run_alarm(
        &self,
        permit: Permit,
        handler: Handler,
        pending: &Pending,
        lost_tries: &LostTries,
    ) -> Result<bool, Fault> {
        let Activation {
            state, timetable, ..
        } = &*self.inner;
        let Some(due) = timetable.begin(state, pending, lost_tries)? else {
            return Ok(false);
        };
        let alarm = pending.alarm.name;
        state.begin_try(Try {
            alarm,
            key: due.run.key.clone(),
            count: due.run.retry_count + 1,
        });
        // The try is durable before its handler starts, whatever happens to this activation, this
        // WebAssembly instance or this process.
        state.sync().await?;
        let source = Source::Alarm {
            payload: due.payload.clone(),
            run: due.run.clone(),
        };
        let outcome = self
            .run_permitted(
                permit,
                handler,
                Input::new(source),
                &Origin::default(),
                alarm,
            )
            .await;
        match &outcome {
            // The row has its retry time, which the next activation uses.
            Err(fault @ (Fault::Panicked | Fault::Reset(_))) => return Err(fault.clone()),
            Err(fault) => {
                let (_, _, message) = fault.summary();
                tracing::warn!(alarm, message, "an alarm's handler failed");
            }
            Ok(_) => {}
        }
        timetable.finished(state, &due, outcome.is_ok())?;
        Ok(true)
    }
}

pub(crate) fn no_such_method(description: &Description, method: &str) -> Fault {
    Fault::NoSuchMethod(format!(
        "{} has no method `{method}` in the version that runs",
        description.class.name
    ))
}
