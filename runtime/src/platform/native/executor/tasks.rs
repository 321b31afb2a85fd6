//! The tasks of a shard besides its objects: commits, alarms in time, messages from other threads.

use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::yield_now;

use super::super::kernel::ObjectIndex;
use super::work::{Command, Inbound};
use super::{Event, Shard};
use crate::error::fault::Fault;
use crate::turn::user_code::{self, Guarded};

/// How often to check whether the system's clock was set. Alarms follow the date.
const CLOCK_CHECK_MS: i64 = 5_000;
/// The largest difference between the clocks that is not a step. They drift, and are read one after
/// the other.
const CLOCK_SLACK_MS: i64 = 500;
/// How long a task pauses after it panicked.
const AFTER_PANIC: Duration = Duration::from_millis(100);

impl Shard {
    /// Starts the shard's own tasks on the current runtime.
    pub(in super::super) fn start_tasks(self: &Rc<Self>) {
        self.keep_running("commits", Self::commit_when_settled);
        self.keep_running("time", Self::keep_time);
        self.keep_running("alarms", Self::load_alarms);
    }

    /// Runs a task of the shard for as long as the shard lives. Without this, a panic in it, which
    /// is a bug of this crate, would leave all objects without commits or alarms.
    pub(super) fn keep_running<F>(
        self: &Rc<Self>,
        name: &'static str,
        task: impl Fn(Rc<Self>) -> F + 'static,
    ) where
        F: Future<Output = ()> + 'static,
    {
        let shard = Rc::clone(self);
        tokio::task::spawn_local(async move {
            while Guarded::new(task(Rc::clone(&shard))).await.is_err() {
                tracing::error!(task = name, "a task of the host panicked; it is restarted");
                tokio::time::sleep(AFTER_PANIC).await;
            }
        });
    }

    /// Commits when no work is ready. Ready work belongs to the next commit, so this yields to let
    /// it run first.
    async fn commit_when_settled(self: Rc<Self>) {
        // A run of this task that panicked may have left a commit undone.
        self.commit_wanted.notify_one();
        loop {
            self.commit_wanted.notified().await;
            match &self.simulation {
                Some(simulation) => simulation.delay().await,
                None => yield_now().await,
            }
            self.record_alarms().await;
            self.handle(Event::Settled);
        }
    }

    async fn keep_time(self: Rc<Self>) {
        let mut before = self.now();
        loop {
            let now = self.now();
            if self.simulation.is_none() {
                let step = (now.wall - before.wall) - (now.steady - before.steady);
                if step.abs() > CLOCK_SLACK_MS {
                    tracing::warn!(by_ms = step, "the system's clock was set");
                    self.load_alarms_by_new_date();
                }
            }
            before = now;
            let due = self.kernel.borrow().next_due(|| now);
            self.timer_at.set(due);
            let changed = self.timer_changed.notified();
            // A simulated clock reports when it is set.
            let look_again = self.simulation.is_none().then_some(CLOCK_CHECK_MS);
            let wait = due.map(|due| (due - now.steady).max(0));
            let Some(pause) = [wait, look_again].into_iter().flatten().min() else {
                changed.await;
                continue;
            };
            tokio::select! {
                biased;
                () = changed => {}
                () = pause_for(pause) => {
                    if wait == Some(pause) {
                        self.handle(Event::Tick);
                    }
                }
            }
        }
    }

    /// Sets the timer earlier if something is due earlier. A timer that fires too early is
    /// harmless.
    pub(super) fn set_timer(&self) {
        let due = self.kernel.borrow().next_due(|| self.now());
        if due.is_some_and(|due| self.timer_at.get().is_none_or(|at| due < at)) {
            self.timer_at.set(due);
            self.timer_changed.notify_one();
        }
    }

    /// Receives messages from other threads until the host gives a command.
    pub(in super::super) async fn receive(
        self: &Rc<Self>,
        inbox: &mut UnboundedReceiver<Inbound>,
    ) -> Command {
        while let Some(inbound) = inbox.recv().await {
            match inbound {
                Inbound::Drain => return Command::Drain,
                Inbound::Stop => return Command::Stop,
                inbound => {
                    if user_code::call(|| self.receive_one(inbound)).is_err() {
                        tracing::error!("handling a message panicked; the host continues");
                    }
                }
            }
        }
        // All senders are gone, and the host with them.
        Command::Stop
    }

    pub(super) fn receive_one(self: &Rc<Self>, inbound: Inbound) {
        match inbound {
            Inbound::Delivery(delivery) => self.accept(*delivery),
            Inbound::Synced { failed } => {
                self.handle(Event::Synced { failed });
                self.shorten_logs();
            }
            Inbound::Opened { object, opened } => self.opened(object, opened),
            Inbound::LogShortened {
                object,
                database,
                result,
            } => self.take_back(object, *database, result),
            Inbound::Closed { object } => self.handle(Event::Closed { object }),
            // Commands are for the host that runs the shard.
            Inbound::Drain | Inbound::Stop => {}
        }
    }

    /// Stops firing alarms, and closes sockets with 1001.
    pub(in super::super) fn drain(self: &Rc<Self>) {
        self.handle(Event::Draining);
        for slot in self.slots.borrow().iter().flatten() {
            for socket in slot.sockets.borrow().iter() {
                socket.go_away();
            }
        }
    }

    pub(in super::super) fn has_sockets(&self) -> bool {
        self.slots
            .borrow()
            .iter()
            .flatten()
            .any(|slot| !slot.sockets.borrow().is_empty())
    }

    /// Ends the remaining turns, because objects cannot leave memory before their turns have ended.
    pub(in super::super) fn cut_off_all(self: &Rc<Self>) {
        let residents = self.kernel.borrow().residents();
        for object in residents {
            let stopped = "the host stopped before the turn had ended; try again";
            self.reset(object, Fault::Reset(stopped.to_owned()));
        }
    }

    /// Evicts all idle objects. Returns how many databases are still open. If the caller does not
    /// wait for a database to close, its log remains beside it.
    pub(in super::super) fn evict_all(self: &Rc<Self>) -> usize {
        let residents: Vec<ObjectIndex> = self.kernel.borrow().residents();
        for object in residents {
            self.handle(Event::EvictionRequested { object });
        }
        self.kernel.borrow().present()
    }
}

/// Pauses. Ready work runs before what is due now.
async fn pause_for(millis: i64) {
    match u64::try_from(millis) {
        Ok(0) | Err(_) => yield_now().await,
        Ok(millis) => tokio::time::sleep(Duration::from_millis(millis)).await,
    }
}
