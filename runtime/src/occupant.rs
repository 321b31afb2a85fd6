//! An object in memory: its value, its turns, and what each event does with them.
//!
//! Both hosts hand their events to this one engine.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use crate::call::{Call, Outcome, Reply, Source};
use crate::caller::{Origin, RunningTurn, as_turn};
use crate::context::{Ctx, Inner};
use crate::description::{Description, Handler};
use crate::error::StorageError;
use crate::fault::Fault;
use crate::fields::FieldStore;
use crate::limits::{self, INTERNAL_PREFIX};
use crate::object::Object;
use crate::platform::ObjectState;
use crate::schedule::Timetable;
use crate::storage::Shared;
use crate::turn::{LocalFuture, Permit, Turns};
use crate::wire;

/// How long a turn waits for its start before the object counts as overloaded. It also ends what
/// the call chain cannot see: two objects whose separate turns wait for each other.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// What unwinds out of a handler that called [`Ctx::abort`].
pub(crate) struct Aborted(pub(crate) String);

/// The object and the bytes of its fields as storage holds them.
struct Resident {
    object: Box<dyn Object>,
    fields: FieldStore,
}

enum Readiness {
    Starting(Vec<Waker>),
    Ready,
    Failed(Fault),
}

/// One object in memory.
pub(crate) struct Occupant {
    pub(crate) inner: Rc<Inner>,
    turns: Turns,
    /// Empty only when loading failed.
    resident: RefCell<Option<Resident>>,
    readiness: RefCell<Readiness>,
}

impl Occupant {
    /// Brings an object into memory: migrations, stored fields, then `#[init]`.
    pub(crate) fn wake(description: &'static Description, state: ObjectState) -> Rc<Self> {
        let mut first_turn = [0; 8];
        state.random(&mut first_turn);
        let inner = Rc::new(Inner {
            description,
            state: state.clone(),
            storage: Rc::new(Shared::default()),
            timetable: Timetable::default(),
        });
        let occupant = Rc::new(Self {
            inner,
            turns: Turns::new(u64::from_le_bytes(first_turn)),
            resident: RefCell::new(None),
            readiness: RefCell::new(Readiness::Starting(Vec::new())),
        });
        match occupant.load() {
            Err(error) => occupant.settle(Err(Fault::Storage(error))),
            Ok(()) => match description.init {
                None => occupant.settle(Ok(())),
                Some(handler) => occupant.initialise(handler),
            },
        }
        occupant
    }

    /// Why the object did not start, if it did not and that is known already.
    pub(crate) fn failure(&self) -> Option<Fault> {
        match &*self.readiness.borrow() {
            Readiness::Failed(fault) => Some(fault.clone()),
            _ => None,
        }
    }

    /// Drops the object's value. Where an abort ended execution inside of a turn, its frames still
    /// borrow the value, and it stays.
    #[cfg(target_arch = "wasm32")]
    pub(crate) fn leave(&self) {
        let resident = self
            .resident
            .try_borrow_mut()
            .ok()
            .and_then(|mut it| it.take());
        crate::user_code::dispose(resident);
    }

    pub(crate) fn description(&self) -> &'static Description {
        self.inner.description
    }

    pub(crate) fn state(&self) -> &ObjectState {
        &self.inner.state
    }

    fn load(&self) -> Result<(), StorageError> {
        let description = self.inner.description;
        migrate(&self.inner.state, description)?;
        let mut fields = FieldStore::new(self.inner.state.clone(), description.keys);
        let object = (description.load)(&mut fields)?;
        *self.resident.borrow_mut() = Some(Resident { object, fields });
        self.inner.timetable.wake(&self.inner.state, description)
    }

    fn initialise(self: &Rc<Self>, handler: Handler) {
        let this = self.clone();
        let mut start: LocalFuture<'static, Result<(), Fault>> = Box::pin(async move {
            let outcome = this
                .run(
                    handler,
                    Call::new(Source::Nothing),
                    &Origin::default(),
                    "init",
                )
                .await;
            let result = outcome.map(|_| ());
            this.settle(result.clone());
            result
        });
        // An initialisation that cannot wait is done before the platform hears of it: its gate
        // costs a promise and two turns of the event loop. One that can wait begins inside the
        // gate: the reply to a call made outside would wait for the gate to open (P1).
        if handler.may_wait() || crate::turn::poll_once(&mut start).is_none() {
            self.inner.state.block_concurrency_while(start);
        }
    }

    fn settle(&self, result: Result<(), Fault>) {
        let next = match result {
            Ok(()) => Readiness::Ready,
            Err(fault) => {
                let (_, _, message) = fault.summary();
                tracing::error!(
                    class = self.inner.description.class,
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

    /// One turn, from waiting for its start to the commit or rollback of the stored fields.
    pub(crate) async fn turn(
        &self,
        handler: Handler,
        call: Call,
        origin: &Origin,
        name: &'static str,
    ) -> Outcome {
        self.ready().await?;
        self.inner.state.gather().await;
        self.run(handler, call, origin, name).await
    }

    async fn run(
        &self,
        handler: Handler,
        call: Call,
        origin: &Origin,
        name: &'static str,
    ) -> Outcome {
        let permit = self.enter(handler, origin, name).await?;
        let turn = RunningTurn {
            object: Rc::downgrade(&self.inner),
            number: permit.turn(),
            name,
            chain: Rc::clone(&origin.chain),
        };
        let ctx = Ctx::new(self.inner.clone(), origin.caller.clone());
        let outcome = as_turn(turn, self.invoke(handler, &ctx, call)).await;
        let outcome = self.conclude(handler, outcome);
        drop(permit);
        outcome
    }

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
        if !entering.waits() {
            return Ok(entering.await);
        }
        let mut entering = pin!(entering);
        let mut patience = self.inner.state.sleep(MAX_WAIT);
        poll_fn(|context| {
            if let Poll::Ready(permit) = entering.as_mut().poll(context) {
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

    /// Runs the handler. A panic is a failed turn and the end of this memory: what the panic left
    /// half done may not be seen by the next turn.
    #[allow(
        clippy::await_holding_refcell_ref,
        reason = "the turns' queue lets only borrows overlap that are allowed to"
    )]
    async fn invoke(&self, handler: Handler, ctx: &Ctx, mut call: Call) -> Outcome {
        let gone = || Fault::Reset("the object left memory".to_owned());
        let result = match handler {
            Handler::Read(read) => {
                let resident = self.resident.try_borrow().map_err(|_| gone())?;
                let object = resident.as_ref().ok_or_else(gone)?.object.as_any();
                catch_unwind(AssertUnwindSafe(|| read(object, ctx, &mut call)))
            }
            Handler::Write(write) => {
                let mut resident = self.resident.try_borrow_mut().map_err(|_| gone())?;
                let object = resident.as_mut().ok_or_else(gone)?.object.as_any_mut();
                catch_unwind(AssertUnwindSafe(|| write(object, ctx, &mut call)))
            }
            Handler::Shared(shared) => {
                let resident = self.resident.try_borrow().map_err(|_| gone())?;
                let object = resident.as_ref().ok_or_else(gone)?.object.as_any();
                guarded(shared, object, ctx, call).await
            }
            Handler::Exclusive(exclusive) => {
                let mut resident = self.resident.try_borrow_mut().map_err(|_| gone())?;
                let object = resident.as_mut().ok_or_else(gone)?.object.as_any_mut();
                guarded(exclusive, object, ctx, call).await
            }
        };
        result.unwrap_or_else(|panic| {
            if let Some(aborted) = panic.downcast_ref::<Aborted>() {
                return Err(Fault::Reset(aborted.0.clone()));
            }
            self.inner.state.reset("a handler panicked");
            Err(Fault::Panicked)
        })
    }

    /// Commits the stored fields of a turn that succeeded, takes back those of one that failed.
    fn conclude(&self, handler: Handler, outcome: Outcome) -> Outcome {
        if self.inner.storage.wiped.take() {
            return self
                .reload_after_wipe()
                .map_err(Fault::Storage)
                .and(outcome);
        }
        if !handler.writes() || matches!(outcome, Err(Fault::Panicked | Fault::Reset(_))) {
            return outcome;
        }
        let mut resident = self.resident.borrow_mut();
        let Some(Resident { object, fields }) = resident.as_mut() else {
            return outcome;
        };
        let outcome = outcome.and_then(|reply| {
            object.store(fields)?;
            fields.commit()?;
            Ok(reply)
        });
        if outcome.is_err() {
            fields.discard();
            if let Err(error) = object.restore(fields) {
                // What storage held before the turn was readable when the object woke.
                tracing::error!(
                    error = error.to_string(),
                    "a failed turn could not be taken back in memory"
                );
                self.inner
                    .state
                    .reset("a failed turn could not be taken back");
            }
        }
        outcome
    }

    fn reload_after_wipe(&self) -> Result<(), StorageError> {
        self.inner.timetable.forget();
        if let Some(resident) = self.resident.borrow_mut().as_mut() {
            resident.fields.forget();
            resident.object.restore(&mut resident.fields)?;
        }
        migrate(&self.inner.state, self.inner.description)?;
        self.inner
            .timetable
            .wake(&self.inner.state, self.inner.description)
    }

    /// An RPC from another object or the app.
    pub(crate) fn call(
        self: &Rc<Self>,
        method: &str,
        arguments: Vec<u8>,
        origin: Origin,
    ) -> LocalFuture<'static, Result<Vec<u8>, Fault>> {
        let this = self.clone();
        let Some(method) = self.inner.description.method(method) else {
            let fault = no_such_method(self.inner.description, method);
            return Box::pin(std::future::ready(Err(fault)));
        };
        Box::pin(async move {
            let call = Call::new(Source::Encoded {
                bytes: arguments,
                rest: 0,
            });
            match this
                .turn(method.handler, call, &origin, method.name)
                .await?
            {
                Reply::Value(bytes) => limits::check_call(&bytes).map(|()| bytes),
                Reply::Response(_) | Reply::Accept(_) => Err(Fault::Undecodable(
                    "a response cannot be the result of a call".to_owned(),
                )),
            }
        })
    }

    /// The platform's alarm: runs what is due, one turn each.
    pub(crate) fn alarm(self: &Rc<Self>) -> LocalFuture<'static, Result<(), Fault>> {
        let this = self.clone();
        Box::pin(async move {
            this.ready().await?;
            let Inner {
                state,
                timetable,
                description,
                ..
            } = &*this.inner;
            timetable.fired();
            while let Some(due) = timetable.take_due(state, description)? {
                let source = Source::Alarm {
                    payload: due.payload.clone(),
                    run: due.run.clone(),
                };
                let method = due.method;
                // At once, and not gathered: the row's mark and the handler's writes commit together.
                let outcome = this
                    .run(
                        method.handler,
                        Call::new(source),
                        &Origin::default(),
                        method.name,
                    )
                    .await;
                match &outcome {
                    // The row is marked as running with its retry time: the next memory takes it up.
                    Err(fault @ (Fault::Panicked | Fault::Reset(_))) => return Err(fault.clone()),
                    Err(fault) => {
                        let (_, _, message) = fault.summary();
                        tracing::warn!(alarm = method.name, message, "an alarm's handler failed");
                    }
                    Ok(_) => {}
                }
                timetable.finished(state, &due, outcome.is_ok())?;
            }
            Ok(())
        })
    }
}

pub(crate) fn no_such_method(description: &Description, method: &str) -> Fault {
    Fault::NoSuchMethod(format!(
        "{} has no method `{method}` in the version that runs",
        description.class
    ))
}

type Caught = std::thread::Result<Outcome>;

/// Polls an asynchronous handler, every poll of it under `catch_unwind`.
async fn guarded<'a, O>(
    handler: fn(O, &'a Ctx, Call) -> LocalFuture<'a, Outcome>,
    object: O,
    ctx: &'a Ctx,
    call: Call,
) -> Caught {
    let mut future = catch_unwind(AssertUnwindSafe(|| handler(object, ctx, call)))?;
    poll_fn(
        |context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(outcome)) => Poll::Ready(Ok(outcome)),
            Err(panic) => Poll::Ready(Err(panic)),
        },
    )
    .await
}

/// Runs the migrations that this object has not had, each in a transaction with the note that it
/// was run, so that none is run twice and none is left half done.
fn migrate(state: &ObjectState, description: &Description) -> Result<(), StorageError> {
    if description.migrations.is_empty() {
        return Ok(());
    }
    let key = format!("{INTERNAL_PREFIX}migrations");
    let undecodable = |message| StorageError::Undecodable {
        subject: "the count of migrations".to_owned(),
        message,
    };
    let done: usize = match state.get(&key)? {
        Some(bytes) => wire::decode(&bytes).map_err(undecodable)?,
        None => 0,
    };
    for (index, migration) in description.migrations.iter().enumerate().skip(done) {
        let mut result = Ok(());
        state.transaction(&mut || {
            result = state.sql(migration, &[]).map(|_| ()).and_then(|()| {
                let count = wire::encode(&(index + 1)).map_err(undecodable)?;
                state.put(&key, &count)
            });
            result.is_ok()
        })?;
        result.map_err(|error| {
            StorageError::Sql(format!(
                "migration {} of {} failed: {error}",
                index + 1,
                description.class
            ))
        })?;
    }
    Ok(())
}
