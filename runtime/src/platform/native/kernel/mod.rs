//! The kernel of the embedded host: what to do next, decided without I/O, clock or threads.
//!
//! A host (or the simulator) tells it what happened with [`Kernel::handle`] and carries out the
//! effects in their order. All waiting is here: mailboxes, wakes, output gates, shared commits,
//! the alarms' timetable, idle times.

mod event;
mod gate;
mod limits;
mod object;
#[cfg(test)]
mod tests;
mod timetable;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use slab::Slab;

pub(crate) use event::{AlarmOutcome, Effect, Event, ObjectIndex};
pub(crate) use limits::Limits;
use object::{Object, Presence};
use timetable::Timetable;

use crate::error::StorageError;
use crate::fault::Fault;
use crate::id::RawId;

/// The state of one shard.
#[derive(Debug)]
pub(crate) struct Kernel<Work, Output> {
    limits: Limits,
    objects: Slab<Object<Work, Output>>,
    by_id: HashMap<RawId, ObjectIndex>,
    resident: usize,
    /// When to look whether an object is idle; looked at again when it turns out to be in use.
    idle_checks: BinaryHeap<Reverse<(i64, ObjectIndex)>>,
    timetable: Timetable,
    /// Objects with an open transaction.
    dirty: Vec<ObjectIndex>,
    commit: Option<Commit>,
    draining: bool,
}

/// The batch on its way to the disk.
#[derive(Debug)]
struct Commit {
    objects: Vec<ObjectIndex>,
    overdue_at: i64,
}

type Effects<Work, Output> = Vec<Effect<Work, Output>>;

impl<Work, Output> Kernel<Work, Output> {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            objects: Slab::new(),
            by_id: HashMap::new(),
            resident: 0,
            idle_checks: BinaryHeap::new(),
            timetable: Timetable::default(),
            dirty: Vec::new(),
            commit: None,
            draining: false,
        }
    }

    /// The object of this identifier, if it is known.
    pub(crate) fn find(&self, id: RawId) -> Option<ObjectIndex> {
        self.by_id.get(&id).copied()
    }

    /// Makes an object known. Bring it work, or it stays for ever.
    pub(crate) fn add(&mut self, id: RawId, now: i64) -> ObjectIndex {
        let index = ObjectIndex(self.objects.insert(Object::new(id, now)));
        self.by_id.insert(id, index);
        index
    }

    /// When the next `Tick` has something to do.
    pub(crate) fn next_due(&self) -> Option<i64> {
        let alarm = self.timetable.next_due().filter(|_| !self.draining);
        let idle = self.idle_checks.peek().map(|Reverse((at, _))| *at);
        let commit = self.commit.as_ref().map(|commit| commit.overdue_at);
        [alarm, idle, commit].into_iter().flatten().min()
    }

    /// Whether no object has anything to do or to send.
    pub(crate) fn is_quiet(&self) -> bool {
        self.objects
            .iter()
            .all(|(_, object)| object.events == 0 && object.gate.is_quiet())
    }

    /// The objects in memory.
    pub(crate) fn residents(&self) -> Vec<ObjectIndex> {
        let is_resident = |object: &Object<Work, Output>| object.presence == Presence::Resident;
        let residents = self
            .objects
            .iter()
            .filter(|(_, object)| is_resident(object));
        residents.map(|(index, _)| ObjectIndex(index)).collect()
    }

    /// Moves on by one event; appends what is to be done.
    pub(crate) fn handle(
        &mut self,
        event: Event<Work, Output>,
        now: i64,
        effects: &mut Effects<Work, Output>,
    ) {
        match event {
            Event::Arrived {
                object,
                work,
                bytes,
            } => self.arrived(object, work, bytes, now, effects),
            Event::SocketEnded { object, work } => self.take(object, work, 0, now, effects),
            Event::Continued { object } => self.object(object).events += 1,
            Event::Finished { object, bytes } => self.finished(object, bytes, now, effects),
            Event::Woken { object, alarm } => self.woken(object, alarm, now, effects),
            Event::WakeFailed { object, fault } => self.wake_failed(object, &fault, effects),
            Event::Blocked { object } => self.object(object).blocked += 1,
            Event::Unblocked { object } => {
                self.object(object).blocked -= 1;
                self.start_waiting(object, effects);
            }
            Event::Wrote { object } => self.wrote(object, effects),
            Event::AlarmChanged { object, at } => self.object(object).alarm.change(at),
            Event::Emitted { object, output } => {
                if let Some(output) = self.object(object).gate.emit(output) {
                    effects.push(Effect::Release { object, output });
                }
            }
            Event::Settled => self.settled(now, effects),
            Event::CommitFailed { object, fault } => self.lose(object, &fault, effects),
            Event::Synced { failed } => self.synced(failed, effects),
            Event::Reset {
                object,
                fault,
                discard,
            } => self.reset(object, &fault, discard, effects),
            Event::Closed { object } => self.closed(object, effects),
            Event::EvictionRequested { object } => self.evict_if_idle(object, effects),
            Event::SocketOpened { object } => self.object(object).sockets += 1,
            Event::SocketClosed { object } => {
                self.object(object).sockets -= 1;
                self.forget_if_unused(object, effects);
            }
            Event::AlarmsLoaded { alarms } => {
                for (id, at) in alarms {
                    self.timetable.load(id, at);
                }
                self.fire_alarms(now, effects);
            }
            Event::AlarmFinished { id, outcome } => {
                match outcome {
                    AlarmOutcome::Done => self.timetable.finished(id),
                    AlarmOutcome::Stale { actual } => {
                        self.timetable.finished(id);
                        self.timetable.set(id, actual);
                        effects.push(Effect::UpdateIndex {
                            alarms: vec![(id, actual)],
                        });
                    }
                    AlarmOutcome::Failed { random } => self.timetable.failed(id, now, random),
                }
                self.fire_alarms(now, effects);
            }
            Event::Tick => self.tick(now, effects),
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
        if object.events >= mailbox_events || object.bytes.saturating_add(bytes) > mailbox_bytes {
            let fault = Fault::Overloaded(format!(
                "{} events with {} bytes are waiting; the limits are {mailbox_events} events and {mailbox_bytes} bytes. Send less, or spread the work over more objects",
                object.events, object.bytes
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
            object.presence = Presence::Waking;
            effects.push(Effect::Wake { object: index });
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
    }

    fn woken(
        &mut self,
        index: ObjectIndex,
        alarm: Option<i64>,
        now: i64,
        effects: &mut Effects<Work, Output>,
    ) {
        self.resident += 1;
        let idle_at = now + self.limits.idle_ms;
        let object = self.object(index);
        object.presence = Presence::Resident;
        object.last_active = now;
        object.idle_check_at = Some(idle_at);
        object.alarm.woken(alarm);
        let id = object.id;
        self.timetable.confirm(id, alarm);
        self.idle_checks.push(Reverse((idle_at, index)));
        self.start_waiting(index, effects);
        if self.resident > self.limits.resident_objects {
            self.evict_least_recently_used(effects);
        }
    }

    fn wake_failed(
        &mut self,
        index: ObjectIndex,
        fault: &Fault,
        effects: &mut Effects<Work, Output>,
    ) {
        self.object(index).presence = Presence::Leaving;
        self.refuse_waiting(index, fault, effects);
        self.close_if_quiet(index, effects);
    }

    fn refuse_waiting(
        &mut self,
        index: ObjectIndex,
        fault: &Fault,
        effects: &mut Effects<Work, Output>,
    ) {
        let object = self.object(index);
        while let Some((work, bytes)) = object.mailbox.pop_front() {
            object.events -= 1;
            object.bytes -= bytes;
            effects.push(Effect::Refuse {
                work,
                fault: fault.clone(),
            });
        }
    }

    fn start_waiting(&mut self, index: ObjectIndex, effects: &mut Effects<Work, Output>) {
        let object = self.object(index);
        if object.takes_work() {
            let waiting = object.mailbox.drain(..);
            effects.extend(waiting.map(|(work, bytes)| Effect::Start {
                object: index,
                work,
                bytes,
            }));
        }
    }

    fn wrote(&mut self, index: ObjectIndex, effects: &mut Effects<Work, Output>) {
        if !self.object(index).gate.write() {
            return;
        }
        self.dirty.push(index);
        if self.dirty.len() == 1 && self.commit.is_none() {
            effects.push(Effect::RequestCommit);
        }
    }

    fn settled(&mut self, now: i64, effects: &mut Effects<Work, Output>) {
        if self.commit.is_some() || self.dirty.is_empty() {
            return;
        }
        let objects = std::mem::take(&mut self.dirty);
        let mut alarms = Vec::new();
        for &index in &objects {
            let object = self.object(index);
            object.gate.begin_commit();
            if let Some(at) = object.alarm.begin_commit() {
                alarms.push((index, at));
            }
        }
        let overdue_at = now + self.limits.commit_ms;
        self.commit = Some(Commit {
            objects: objects.clone(),
            overdue_at,
        });
        effects.push(Effect::Commit { objects, alarms });
    }

    fn synced(&mut self, failed: Vec<(ObjectIndex, Fault)>, effects: &mut Effects<Work, Output>) {
        let Some(commit) = self.commit.take() else {
            return;
        };
        for (index, fault) in failed {
            if self.is_committing(index) {
                self.lose(index, &fault, effects);
            }
        }
        let mut updates = Vec::new();
        for index in commit.objects {
            if !self.is_committing(index) {
                continue;
            }
            let object = self.object(index);
            let id = object.id;
            effects.extend(object.gate.durable().map(|output| Effect::Release {
                object: index,
                output,
            }));
            if let Some((at, index_follows)) = object.alarm.durable() {
                self.timetable.set(id, at);
                if index_follows {
                    updates.push((id, at));
                }
            }
            self.close_if_quiet(index, effects);
        }
        if !updates.is_empty() {
            effects.push(Effect::UpdateIndex { alarms: updates });
        }
        if !self.dirty.is_empty() {
            effects.push(Effect::RequestCommit);
        }
    }

    /// False for an object that was reset since its commit began, and then perhaps forgotten.
    fn is_committing(&self, index: ObjectIndex) -> bool {
        self.objects
            .get(index.0)
            .is_some_and(|object| object.gate.is_committing())
    }

    /// What the object wrote last may be lost: nothing built on it may be seen (P9).
    fn lose(&mut self, index: ObjectIndex, fault: &Fault, effects: &mut Effects<Work, Output>) {
        let object = self.object(index);
        let fail = |output| Effect::Fail {
            output,
            fault: fault.clone(),
        };
        effects.extend(object.gate.discard_all().map(fail));
        object.alarm.discard_all();
        self.dirty.retain(|dirty| *dirty != index);
        self.leave(index, Some(fault.clone()), effects);
        self.close_if_quiet(index, effects);
    }

    fn reset(
        &mut self,
        index: ObjectIndex,
        fault: &Fault,
        discard: bool,
        effects: &mut Effects<Work, Output>,
    ) {
        if discard {
            let object = self.object(index);
            let fail = |output| Effect::Fail {
                output,
                fault: fault.clone(),
            };
            effects.extend(object.gate.discard_open().map(fail));
            object.alarm.discard_open();
            self.dirty.retain(|dirty| *dirty != index);
        }
        // What waited behind a gated initialisation learns why it failed (P14, P16).
        if self.object(index).blocked > 0 {
            self.refuse_waiting(index, fault, effects);
        }
        self.leave(index, Some(fault.clone()), effects);
        self.close_if_quiet(index, effects);
    }

    fn leave(
        &mut self,
        index: ObjectIndex,
        reset: Option<Fault>,
        effects: &mut Effects<Work, Output>,
    ) {
        let object = self.object(index);
        if object.presence != Presence::Resident {
            return;
        }
        object.presence = Presence::Leaving;
        self.resident -= 1;
        effects.push(Effect::Leave {
            object: index,
            reset,
        });
    }

    fn close_if_quiet(&mut self, index: ObjectIndex, effects: &mut Effects<Work, Output>) {
        let object = self.object(index);
        if object.presence == Presence::Leaving && object.gate.is_quiet() {
            object.presence = Presence::Closing;
            effects.push(Effect::Close { object: index });
        }
    }

    fn closed(&mut self, index: ObjectIndex, effects: &mut Effects<Work, Output>) {
        // A simulated crash may fall between the closing and its answer.
        let Some(object) = self.objects.get_mut(index.0) else {
            return;
        };
        if object.presence != Presence::Closing {
            return;
        }
        if object.mailbox.is_empty() {
            object.presence = Presence::Absent;
            self.forget_if_unused(index, effects);
        } else {
            object.presence = Presence::Waking;
            effects.push(Effect::Wake { object: index });
        }
    }

    fn forget_if_unused(&mut self, index: ObjectIndex, effects: &mut Effects<Work, Output>) {
        let object = self.object(index);
        if object.is_forgettable() {
            let id = object.id;
            self.objects.remove(index.0);
            self.by_id.remove(&id);
            effects.push(Effect::Forget { object: index });
        }
    }

    fn evict_if_idle(&mut self, index: ObjectIndex, effects: &mut Effects<Work, Output>) {
        if self.object(index).is_idle() {
            self.leave(index, None, effects);
            self.close_if_quiet(index, effects);
        }
    }

    fn evict_least_recently_used(&mut self, effects: &mut Effects<Work, Output>) {
        let idle = self.objects.iter().filter(|(_, object)| object.is_idle());
        if let Some((index, _)) = idle.min_by_key(|(_, object)| object.last_active) {
            self.evict_if_idle(ObjectIndex(index), effects);
        }
    }

    fn tick(&mut self, now: i64, effects: &mut Effects<Work, Output>) {
        self.fire_alarms(now, effects);
        self.give_up_on_overdue_commit(now, effects);
        while let Some(&Reverse((at, index))) = self.idle_checks.peek()
            && at <= now
        {
            self.idle_checks.pop();
            let idle_ms = self.limits.idle_ms;
            let Some(object) = self.objects.get_mut(index.0) else {
                continue;
            };
            if object.presence != Presence::Resident || object.idle_check_at != Some(at) {
                continue;
            }
            let idle_at = object.last_active + idle_ms;
            if idle_at <= now && object.is_idle() {
                self.evict_if_idle(index, effects);
            } else {
                let again_at = if idle_at > now {
                    idle_at
                } else {
                    now + idle_ms.max(1)
                };
                object.idle_check_at = Some(again_at);
                self.idle_checks.push(Reverse((again_at, index)));
            }
        }
    }

    fn fire_alarms(&mut self, now: i64, effects: &mut Effects<Work, Output>) {
        if self.draining {
            return;
        }
        while let Some(id) = self.timetable.fire(now) {
            effects.push(Effect::FireAlarm { id });
        }
    }

    fn give_up_on_overdue_commit(&mut self, now: i64, effects: &mut Effects<Work, Output>) {
        let Some(commit) = self
            .commit
            .as_mut()
            .filter(|commit| commit.overdue_at <= now)
        else {
            return;
        };
        commit.overdue_at = i64::MAX;
        for index in commit.objects.clone() {
            let fault = Fault::Storage(StorageError::Io(format!(
                "the disk did not confirm a write within {} s; the object was reset",
                self.limits.commit_ms / 1_000
            )));
            if self.is_committing(index) {
                self.lose(index, &fault, effects);
            }
        }
    }
}
