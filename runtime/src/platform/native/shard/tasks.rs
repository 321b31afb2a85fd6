//! What a shard does beside its objects: commits, alarms in time, messages from other threads.

use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::yield_now;

use super::super::kernel::ObjectIndex;
use super::super::work::Inbound;
use super::{Event, Shard};

/// Alarms due within this time are in memory; the index holds the rest.
const HORIZON: Duration = Duration::from_secs(120);
const HORIZON_STEP: Duration = Duration::from_secs(60);

/// What a host tells a shard besides work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Command {
    Drain,
    Stop,
}

impl Shard {
    /// Starts the shard's own tasks on the current runtime.
    pub(in super::super) fn start_tasks(self: &Rc<Self>) {
        tokio::task::spawn_local(Rc::clone(self).commit_when_settled());
        tokio::task::spawn_local(Rc::clone(self).keep_time());
        tokio::task::spawn_local(Rc::clone(self).load_alarms());
    }

    /// Everything ready now belongs to the next commit: yielding lets it run first.
    async fn commit_when_settled(self: Rc<Self>) {
        loop {
            self.commit_wanted.notified().await;
            match &self.simulation {
                Some(simulation) => simulation.delay().await,
                None => yield_now().await,
            }
            self.handle(Event::Settled);
        }
    }

    async fn keep_time(self: Rc<Self>) {
        loop {
            let due = self.kernel.borrow().next_due();
            self.timer_at.set(due);
            let changed = self.timer_changed.notified();
            match due {
                None => changed.await,
                Some(due) => {
                    let wait = u64::try_from(due - self.clock.now()).unwrap_or(0);
                    tokio::select! {
                        biased;
                        () = changed => {}
                        () = tokio::time::sleep(Duration::from_millis(wait)) => self.handle(Event::Tick),
                    }
                }
            }
        }
    }

    /// Sets the timer earlier if something is due earlier; a timer set too early does no harm.
    pub(super) fn set_timer(&self) {
        let due = self.kernel.borrow().next_due();
        if due.is_some_and(|due| self.timer_at.get().is_none_or(|at| due < at)) {
            self.timer_at.set(due);
            self.timer_changed.notify_one();
        }
    }

    async fn load_alarms(self: Rc<Self>) {
        loop {
            self.load_alarms_now();
            tokio::time::sleep(HORIZON_STEP).await;
        }
    }

    pub(in super::super) fn load_alarms_now(self: &Rc<Self>) {
        let until = self.clock.now() + i64::try_from(HORIZON.as_millis()).unwrap_or(i64::MAX);
        match self.disk.index().due_until(until) {
            Ok(mut alarms) => {
                alarms.retain(|(id, _)| self.home_of(*id) == self.number);
                self.handle(Event::AlarmsLoaded { alarms });
            }
            Err(error) => tracing::error!(%error, "the index of alarms cannot be read"),
        }
    }

    /// Takes what other threads send until the host gives a command.
    pub(in super::super) async fn receive(
        self: &Rc<Self>,
        inbox: &mut UnboundedReceiver<Inbound>,
    ) -> Command {
        while let Some(inbound) = inbox.recv().await {
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
                Inbound::Drain => return Command::Drain,
                Inbound::Stop => return Command::Stop,
            }
        }
        // All senders are gone, and with them the host.
        Command::Stop
    }

    /// No alarm fires from now on; sockets are closed with 1001.
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

    /// Takes all idle objects out of memory; how many databases are still open.
    pub(in super::super) fn evict_all(self: &Rc<Self>) -> usize {
        let residents: Vec<ObjectIndex> = self.kernel.borrow().residents();
        for object in residents {
            self.handle(Event::EvictionRequested { object });
        }
        self.slots
            .borrow()
            .iter()
            .flatten()
            .filter(|slot| slot.resident.borrow().is_some())
            .count()
    }
}
