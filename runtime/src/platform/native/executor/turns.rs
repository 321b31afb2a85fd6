//! Runs the turns of objects. A turn is polled once immediately, and driven as a task if it is not
//! ready.

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::super::kernel::ObjectIndex;
use super::super::sim::FaultKind;
use super::residents::Resident;
use super::slot::Life;
use super::work::{Output, ReplyTo, Task, Work};
use super::{Event, Shard};
use crate::error::fault::Fault;
use crate::platform::Aborted;
use crate::turn::LocalFuture;
use crate::turn::caller::{Caller, Origin};
use crate::turn::chain::CallChain;
use crate::turn::user_code::{self, Panic};

/// How long an initialisation behind its gate may take (P14).
const BLOCK_TIMEOUT: Duration = Duration::from_secs(30);

/// The caller that waits for the result of a turn.
pub(super) trait Audience {
    /// Checks whether the caller has disconnected, and has the task woken when it does.
    fn look(&mut self, context: &mut Context<'_>);
}

/// Alarms, the events of sockets, and work in the background have no caller.
pub(super) struct NoCaller;

impl Audience for NoCaller {
    fn look(&mut self, _: &mut Context<'_>) {}
}

/// A caller on this thread or another. It disconnects by dropping the other end.
struct Awaiting<T> {
    reply: ReplyTo<T>,
    caller: Caller,
}

impl<T> Awaiting<T> {
    fn new(reply: ReplyTo<T>) -> Self {
        let caller = Caller::asked(|_| {});
        Self { reply, caller }
    }

    fn origin(&self, chain: CallChain) -> Origin {
        Origin {
            chain: Rc::new(chain),
            caller: self.caller.clone(),
        }
    }
}

impl<T> Audience for Awaiting<T> {
    fn look(&mut self, context: &mut Context<'_>) {
        if self.reply.poll_closed(context).is_ready() {
            self.caller.leave();
        }
    }
}

impl Shard {
    pub(in super::super) fn start(self: &Rc<Self>, object: ObjectIndex, work: Work, bytes: usize) {
        if self.slot_at(object).is_none() {
            return;
        }
        let resident = self.residents.get(object);
        let Some(Resident { life, instance }) =
            resident.filter(|resident| resident.life.is_over().is_none())
        else {
            // It left between the decision and its execution.
            self.refuse(work, Fault::Reset("the object left memory".to_owned()));
            self.handle(Event::Finished { object, bytes });
            return;
        };
        match work {
            Work::Task(Task::Call {
                method,
                arguments,
                chain,
                reply,
            }) => {
                let caller = Awaiting::new(reply);
                let turn = instance.call(method, arguments, caller.origin(chain));
                self.drive(&life, bytes, turn, caller, |life, caller, result| {
                    life.emit(Output::Called {
                        reply: caller.reply,
                        result: result.and_then(|result| result),
                    });
                });
            }
            Work::Task(Task::Fetch {
                request,
                chain,
                reply,
            }) => {
                let caller = Awaiting::new(reply);
                let turn = instance.fetch(*request, caller.origin(chain));
                let shard = Rc::clone(self);
                self.drive(&life, bytes, turn, caller, move |life, caller, result| {
                    let response = result.and_then(|response| response);
                    let response = response.map(|response| shard.carried(life, response));
                    let reply = caller.reply;
                    life.emit(Output::Fetched { reply, response });
                });
            }
            Work::Message {
                socket,
                message,
                flight,
            } => {
                let turn = instance.socket_message(socket, message);
                self.drive(&life, bytes, turn, NoCaller, |_, _, _| drop(flight));
            }
            Work::Close {
                socket,
                code,
                reason,
                clean,
            } => {
                let turn = instance.socket_close(socket.clone(), code, reason, clean);
                self.drive(&life, bytes, turn, NoCaller, move |_, _, result| {
                    if result.is_err() {
                        // There is no handler to answer the peer's Close.
                        socket.cut_off();
                    }
                });
            }
            Work::Error { socket, message } => {
                self.drive(
                    &life,
                    bytes,
                    instance.socket_error(socket, message),
                    NoCaller,
                    |_, _, _| {},
                );
            }
            Work::Alarm { id } => self.start_alarm(&Resident { life, instance }, id),
        }
    }

    /// Runs `turn` to completion or to the end of the activation. Then calls `conclude`.
    pub(super) fn drive<T: 'static, A: Audience + 'static>(
        self: &Rc<Self>,
        life: &Rc<Life>,
        bytes: usize,
        mut turn: LocalFuture<'static, T>,
        mut audience: A,
        conclude: impl FnOnce(&Rc<Life>, A, Result<T, Fault>) + 'static,
    ) {
        // The caller may have disconnected while the turn waited to start.
        audience.look(&mut Context::from_waker(Waker::noop()));
        let mut no_one = Context::from_waker(Waker::noop());
        let done = self.inside(|| self.poll_whole(life, &mut turn, &mut no_one));
        match done {
            Poll::Ready(result) => {
                self.inside(|| user_code::dispose(turn));
                conclude(life, audience, result);
                self.end_if_asked(life);
                self.turn_ended();
                life.slot.handle(Event::Finished {
                    object: life.slot.index,
                    bytes,
                });
            }
            Poll::Pending => {
                self.end_if_asked(life);
                let (shard, life) = (Rc::clone(self), Rc::clone(life));
                let under_way = self.goes_on(life.slot.index);
                tokio::task::spawn_local(async move {
                    let result = shard.poll_to_end(&life, turn, &mut audience).await;
                    drop(under_way);
                    shard.inside(|| {
                        conclude(&life, audience, result);
                        shard.end_if_asked(&life);
                        shard.turn_ended();
                        life.slot.handle(Event::Finished {
                            object: life.slot.index,
                            bytes,
                        });
                    });
                });
            }
        }
    }

    async fn poll_to_end<T>(
        self: &Rc<Self>,
        life: &Rc<Life>,
        mut turn: LocalFuture<'static, T>,
        audience: &mut impl Audience,
    ) -> Result<T, Fault> {
        let mut over = pin!(life.over());
        let result = poll_fn(|context| {
            if let Poll::Ready(fault) = over.as_mut().poll(context) {
                return Poll::Ready(Err(fault));
            }
            audience.look(context);
            self.inside(|| {
                let polled = self.poll_whole(life, &mut turn, context);
                if polled.is_pending() {
                    self.end_if_asked(life);
                }
                polled
            })
        })
        .await;
        // Dropping a turn that was cut off lets others proceed.
        self.inside(|| user_code::dispose(turn));
        result
    }

    /// Carries out what a turn requested: a reset, or an abort.
    pub(super) fn end_if_asked(self: &Rc<Self>, life: &Rc<Life>) {
        let Some(ending) = life.take_ending() else {
            return;
        };
        if life.is_over().is_some() || life.slot.gone.get() {
            return;
        }
        if ending.discard
            && let Some(database) = life.committable()
        {
            database.roll_back();
        }
        let object = life.slot.index;
        // Done immediately. Otherwise turns that were about to start would run in this memory
        // before the kernel's `Leave` is carried out, and answer with data that is not stored.
        life.cut_off(ending.fault.clone());
        self.handle(Event::Reset {
            object,
            fault: ending.fault,
            discard: ending.discard,
        });
    }

    pub(in super::super) fn continue_in_background(
        self: &Rc<Self>,
        life: &Rc<Life>,
        work: LocalFuture<'static, ()>,
    ) {
        let object = life.slot.index;
        life.slot.handle(Event::Continued { object });
        self.run_in_background(life, work, Event::Finished { object, bytes: 0 });
    }

    /// Runs work of an object outside of its turns, until it ends or the object does. Then reports
    /// `end`.
    pub(super) fn run_in_background(
        self: &Rc<Self>,
        life: &Rc<Life>,
        work: LocalFuture<'static, ()>,
        end: Event,
    ) {
        let (shard, life) = (Rc::clone(self), Rc::clone(life));
        let under_way = self.note_under_way(life.slot.index, "work in the background");
        tokio::task::spawn_local(async move {
            // Ignored, because no caller waits for a result.
            let _ = shard.poll_to_end(&life, work, &mut NoCaller).await;
            drop(under_way);
            shard.inside(|| {
                shard.end_if_asked(&life);
                life.slot.handle(end);
            });
        });
    }

    /// Holds new events until `gate` completes. A failure or a timeout resets the object (P14).
    pub(in super::super) fn block_while(
        self: &Rc<Self>,
        life: &Rc<Life>,
        gate: LocalFuture<'static, Result<(), Fault>>,
    ) {
        let object = life.slot.index;
        life.slot.handle(Event::Blocked { object });
        let (shard, life) = (Rc::clone(self), Rc::clone(life));
        tokio::task::spawn_local(async move {
            let gate: LocalFuture<'static, Result<(), Fault>> = Box::pin(async move {
                let through = tokio::time::timeout(BLOCK_TIMEOUT, gate).await;
                through.unwrap_or_else(|_| {
                    let seconds = BLOCK_TIMEOUT.as_secs();
                    Err(Fault::Reset(format!(
                        "the initialisation took more than {seconds} s"
                    )))
                })
            });
            let through = shard.poll_to_end(&life, gate, &mut NoCaller).await;
            shard.inside(|| {
                if let Ok(Err(fault)) = through {
                    // Replaces the reset that came with it by this fault, which has a better
                    // message. Writes of a failed start are discarded (P18).
                    drop(life.take_ending());
                    life.end(fault, true);
                }
                shard.end_if_asked(&life);
                life.slot.handle(Event::Unblocked { object });
            });
        });
    }

    /// Polls what an object runs. An uncaught panic ends the activation.
    fn poll_whole<T>(
        &self,
        life: &Life,
        turn: &mut LocalFuture<'static, T>,
        context: &mut Context<'_>,
    ) -> Poll<Result<T, Fault>> {
        let polled = match self.point(&[FaultKind::Crash, FaultKind::Panic]) {
            Some(FaultKind::Crash) => return Poll::Pending,
            Some(_) => Err(Box::new("injected") as Panic),
            None => user_code::call(|| turn.as_mut().poll(context)),
        };
        match polled {
            Ok(polled) => polled.map(Ok),
            Err(panic) => {
                let fault = match panic.downcast::<Aborted>() {
                    // It has requested its end.
                    Ok(aborted) => Fault::Reset(aborted.0),
                    Err(_) => Fault::Panicked,
                };
                life.end(fault.clone(), true);
                Poll::Ready(Err(fault))
            }
        }
    }
}
