//! The kernel of the embedded host. Decides what to do next, without I/O, clock or threads.
//!
//! A host (or the simulator) reports events with [`Kernel::handle`] and carries out the effects in
//! their order. The kernel manages everything that waits: mailboxes, wakes, output gates, shared
//! commits, the alarms' timetable, idle times.

mod alarms;
mod commits;
mod event;
mod gate;
mod limits;
mod object;
mod residency;
mod rest;
#[cfg(test)]
mod tests;
mod time;
mod timetable;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use slab::Slab;

pub(crate) use event::{AlarmOutcome, Effect, Event, ObjectIndex};
pub(crate) use limits::Limits;
use object::{Object, Presence};
pub(crate) use time::Now;
use timetable::Timetable;
pub(crate) use timetable::{IndexedAlarm, Pause, PausedAlarm};

use crate::error::fault::Fault;
use crate::object::id::RawId;

/// The state of one shard.
#[derive(Debug)]
pub(crate) struct Kernel<Work, Output> {
    limits: Limits,
    /// Returns how many bytes an output holds in memory.
    size_of: fn(&Output) -> usize,
    objects: Slab<Object<Work, Output>>,
    by_id: HashMap<RawId, ObjectIndex>,
    resident: usize,
    /// When to check whether an object is idle. An object in use is checked again later.
    idle_checks: BinaryHeap<Reverse<(i64, ObjectIndex)>>,
    /// When to check whether the disk's limit for an object has passed.
    disk_checks: BinaryHeap<Reverse<(i64, ObjectIndex)>>,
    timetable: Timetable,
    /// Objects with an open transaction.
    dirty: Vec<ObjectIndex>,
    /// The batch in flight to the disk.
    commit: Option<Vec<ObjectIndex>>,
    draining: bool,
}

type Effects<Work, Output> = Vec<Effect<Work, Output>>;

impl<Work, Output> Kernel<Work, Output> {
    pub(crate) fn new(limits: Limits, size_of: fn(&Output) -> usize) -> Self {
        Self {
            timetable: Timetable::new(&limits),
            limits,
            size_of,
            objects: Slab::new(),
            by_id: HashMap::new(),
            resident: 0,
            idle_checks: BinaryHeap::new(),
            disk_checks: BinaryHeap::new(),
            dirty: Vec::new(),
            commit: None,
            draining: false,
        }
    }

    /// Returns the object with this identifier, if it is known.
    pub(crate) fn find(&self, id: RawId) -> Option<ObjectIndex> {
        self.by_id.get(&id).copied()
    }

    /// Registers an object. Queue work for it, or its entry is never freed.
    pub(crate) fn add(&mut self, id: RawId, now: Now) -> ObjectIndex {
        let index = ObjectIndex(self.objects.insert(Object::new(id, now.steady)));
        self.by_id.insert(id, index);
        index
    }

    /// When the next `Tick` has something to do, by the steady clock. Reads the time only if an
    /// alarm waits.
    pub(crate) fn next_due(&self, now: impl FnOnce() -> Now) -> Option<i64> {
        let alarm = self.timetable.next_due(now).filter(|_| !self.draining);
        let idle = self.idle_checks.peek().map(|Reverse((at, _))| *at);
        let disk = self.disk_checks.peek().map(|Reverse((at, _))| *at);
        [alarm, idle, disk].into_iter().flatten().min()
    }

    /// Whether nothing of the object runs or waits to run.
    pub(crate) fn is_at_rest(&self, index: ObjectIndex) -> bool {
        self.objects.get(index.0).is_some_and(|object| {
            object.presence == Presence::Resident && object.events == 0 && object.blocked == 0
        })
    }

    /// Whether no object has anything to do or to send, and no alarm is due.
    pub(crate) fn is_quiet(&self, now: Now) -> bool {
        (self.draining || !self.timetable.is_due(now))
            && self
                .objects
                .iter()
                .all(|(_, object)| object.events == 0 && object.gate.is_quiet())
    }

    /// Whether the object has writes that are not on disk.
    pub(crate) fn has_unsynced_writes(&self, index: ObjectIndex) -> bool {
        let object = self.objects.get(index.0);
        object.is_some_and(|object| object.gate.unsynced_since().is_some())
    }

    /// Returns the objects in memory.
    pub(crate) fn residents(&self) -> Vec<ObjectIndex> {
        let is_resident = |object: &Object<Work, Output>| object.presence == Presence::Resident;
        let residents = self
            .objects
            .iter()
            .filter(|(_, object)| is_resident(object));
        residents.map(|(index, _)| ObjectIndex(index)).collect()
    }

    /// Returns how many objects are in memory, or have a database that is being opened or closed.
    pub(crate) fn present(&self) -> usize {
        let objects = self.objects.iter();
        let is_present =
            |(_, object): &(usize, &Object<Work, Output>)| object.presence != Presence::Absent;
        objects.filter(is_present).count()
    }

    /// Handles one event. Appends what must be done.
    pub(crate) fn handle(
        &mut self,
        event: Event<Work, Output>,
        now: Now,
        effects: &mut Effects<Work, Output>,
    ) {
        if let Some(object) = event.object()
            && !self.objects.contains(object.0)
        {
            // This is a late answer for an object that was forgotten.
            return;
        }
        match event {
            Event::Arrived {
                object,
                work,
                bytes,
            } => self.arrived(object, work, bytes, now.steady, effects),
            Event::SocketEnded { object, work } => self.take(object, work, 0, now.steady, effects),
            Event::Continued { object } => self.object(object).events += 1,
            Event::StreamOpened { object } => {
                let object = self.object(object);
                object.events += 1;
                object.streams += 1;
            }
            Event::StreamEnded { object } => {
                self.object(object).streams -= 1;
                self.finished(object, 0, now.steady, effects);
            }
            Event::Finished { object, bytes } => self.finished(object, bytes, now.steady, effects),
            Event::Woken {
                object,
                alarm,
                indexed,
            } => self.woken(object, alarm, indexed, now.steady, effects),
            Event::WakeFailed { object, fault } => self.wake_failed(object, &fault, now, effects),
            Event::Blocked { object } => self.object(object).blocked += 1,
            Event::Unblocked { object } => self.unblocked(object, effects),
            Event::Lent { object } => {
                let lent = self.object(object);
                lent.blocked += 1;
                lent.lent_since = Some(now.steady);
                self.watch_disk(object);
            }
            Event::TakenBack { object } => {
                self.object(object).lent_since = None;
                self.unblocked(object, effects);
            }
            Event::Wrote { object } => self.wrote(object, now.steady, effects),
            Event::Emitted { object, output } => {
                let bytes = (self.size_of)(&output);
                if let Some(output) = self.object(object).gate.emit(output, bytes) {
                    effects.push(Effect::Release { object, output });
                }
            }
            Event::Settled => self.settled(effects),
            Event::CommitFailed { object, fault } => self.lose(object, &fault, now, effects),
            Event::Synced { failed } => self.synced(failed, now, effects),
            Event::Reset {
                object,
                fault,
                discard,
            } => self.reset(object, &fault, discard, now, effects),
            Event::Closed { object } => self.closed(object, now.steady, effects),
            Event::EvictionRequested { object } => {
                self.evict_if_idle(object, now.steady, effects);
            }
            Event::SocketOpened { object } => self.object(object).sockets += 1,
            Event::SocketClosed { object } => {
                self.object(object).sockets -= 1;
                self.forget_if_unused(object, effects);
            }
            Event::TryBegins { id, next } => self.timetable.begin_try(id, next),
            Event::AlarmsLoading { until } => self.timetable.begin_loading(until),
            Event::AlarmsLoaded { alarms, last } => self.alarms_loaded(alarms, last, now),
            Event::AlarmFinished { id, outcome } => self.alarm_finished(id, outcome, now, effects),
            Event::Tick => {
                self.fire_alarms(now, effects);
                self.give_up_on_the_disk(now, effects);
                self.evict_idle(now.steady, effects);
            }
            Event::Draining => self.draining = true,
        }
    }

    fn object(&mut self, index: ObjectIndex) -> &mut Object<Work, Output> {
        &mut self.objects[index.0]
    }

    fn arrived(
        &mut self,
        index: ObjectIndex,
        work: Work,
        bytes: usize,
        now: i64,
        effects: &mut Effects<Work, Output>,
    ) {
        let Limits {
            mailbox_events,
            mailbox_bytes,
            ..
        } = self.limits;
        let object = self.object(index);
        let waiting = object.events - object.streams;
        // Counted by bytes, not by number, because one event may send to every socket of the
        // object.
        let waiting_bytes = object.bytes.saturating_add(object.gate.held_bytes());
        if waiting >= mailbox_events || waiting_bytes.saturating_add(bytes) > mailbox_bytes {
            let fault = Fault::Overloaded(format!(
                "{waiting} events with {waiting_bytes} bytes are waiting; the limits are {mailbox_events} events and {mailbox_bytes} bytes. Send less, or spread the work over more objects"
            ));
            effects.push(Effect::Refuse { work, fault });
            return;
        }
        self.take(index, work, bytes, now, effects);
    }

    fn take(
        &mut self,
        index: ObjectIndex,
        work: Work,
        bytes: usize,
        now: i64,
        effects: &mut Effects<Work, Output>,
    ) {
        let object = self.object(index);
        object.events += 1;
        object.bytes += bytes;
        object.last_active = now;
        if object.takes_work() && object.mailbox.is_empty() {
            effects.push(Effect::Start {
                object: index,
                work,
                bytes,
            });
            return;
        }
        object.mailbox.push_back((work, bytes));
        if object.presence == Presence::Absent {
            self.wake(index, now, effects);
        }
    }

    fn finished(
        &mut self,
        index: ObjectIndex,
        bytes: usize,
        now: i64,
        effects: &mut Effects<Work, Output>,
    ) {
        let object = self.object(index);
        object.events -= 1;
        object.bytes -= bytes;
        object.last_active = now;
        self.forget_if_unused(index, effects);
        self.leave_room(now, effects);
    }
}
