//! Objects in memory: waking, leaving, closing, idle times.

use std::cmp::Reverse;

use super::event::{Effect, ObjectIndex};
use super::object::Presence;
use super::time::Now;
use super::{Effects, Kernel};
use crate::error::StorageError;
use crate::error::fault::Fault;

impl<Work, Output> Kernel<Work, Output> {
    pub(super) fn wake(
        &mut self,
        index: ObjectIndex,
        now: i64,
        effects: &mut Effects<Work, Output>,
    ) {
        let object = self.object(index);
        object.presence = Presence::Waking;
        object.moves_since = now;
        self.watch_disk(index);
        effects.push(Effect::Wake { object: index });
    }

    pub(super) fn unblocked(&mut self, index: ObjectIndex, effects: &mut Effects<Work, Output>) {
        self.object(index).blocked -= 1;
        self.start_waiting(index, effects);
        self.forget_if_unused(index, effects);
    }

    pub(super) fn woken(
        &mut self,
        index: ObjectIndex,
        alarm: Option<i64>,
        indexed: Option<i64>,
        now: i64,
        effects: &mut Effects<Work, Output>,
    ) {
        self.resident += 1;
        let idle_at = now + self.limits.idle_ms;
        let object = self.object(index);
        object.presence = Presence::Resident;
        object.last_active = now;
        object.idle_check_at = Some(idle_at);
        object.alarm.known(indexed);
        let id = object.id;
        self.timetable.set(id, alarm);
        self.idle_checks.push(Reverse((idle_at, index)));
        self.start_waiting(index, effects);
        self.leave_room(now, effects);
    }

    /// Evicts one object if there are too many. Also called when busy objects above the limit have
    /// become idle.
    pub(super) fn leave_room(&mut self, now: i64, effects: &mut Effects<Work, Output>) {
        if self.resident > self.limits.resident_objects {
            self.evict_least_recently_used(now, effects);
        }
    }

    pub(super) fn wake_failed(
        &mut self,
        index: ObjectIndex,
        fault: &Fault,
        now: Now,
        effects: &mut Effects<Work, Output>,
    ) {
        self.object(index).presence = Presence::Leaving;
        self.discard_open(index, fault, now, effects);
        self.refuse_waiting(index, fault, effects);
        self.close_if_quiet(index, now.steady, effects);
    }

    pub(super) fn refuse_waiting(
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

    pub(super) fn start_waiting(
        &mut self,
        index: ObjectIndex,
        effects: &mut Effects<Work, Output>,
    ) {
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

    pub(super) fn reset(
        &mut self,
        index: ObjectIndex,
        fault: &Fault,
        discard: bool,
        now: Now,
        effects: &mut Effects<Work, Output>,
    ) {
        if matches!(fault, Fault::Storage(StorageError::Io(_))) {
            let id = self.object(index).id;
            self.timetable.lost_by_the_disk(id);
        }
        if discard {
            self.discard_open(index, fault, now, effects);
        }
        // Events that waited behind a gated initialisation receive the reason for its failure (P14,
        // P16).
        if self.object(index).blocked > 0 {
            self.refuse_waiting(index, fault, effects);
        }
        self.leave(index, Some(fault.clone()), effects);
        self.close_if_quiet(index, now.steady, effects);
    }

    pub(super) fn leave(
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

    pub(super) fn close_if_quiet(
        &mut self,
        index: ObjectIndex,
        now: i64,
        effects: &mut Effects<Work, Output>,
    ) {
        let object = self.object(index);
        if object.presence != Presence::Leaving || !object.gate.is_quiet() {
            // Its last output may have been sent after its last activation.
            self.forget_if_unused(index, effects);
            return;
        }
        object.moves_since = now;
        if !object.is_syncing {
            object.presence = Presence::Closing;
            effects.push(Effect::Close { object: index });
        }
        self.watch_disk(index);
    }

    pub(super) fn closed(
        &mut self,
        index: ObjectIndex,
        now: i64,
        effects: &mut Effects<Work, Output>,
    ) {
        let object = self.object(index);
        if object.presence != Presence::Closing {
            return;
        }
        if object.mailbox.is_empty() {
            object.presence = Presence::Absent;
            self.forget_if_unused(index, effects);
        } else {
            self.wake(index, now, effects);
        }
    }

    pub(super) fn forget_if_unused(
        &mut self,
        index: ObjectIndex,
        effects: &mut Effects<Work, Output>,
    ) {
        let object = self.object(index);
        if object.is_forgettable() {
            let id = object.id;
            self.objects.remove(index.0);
            self.by_id.remove(&id);
            effects.push(Effect::Forget { object: index });
        }
    }

    pub(super) fn evict_if_idle(
        &mut self,
        index: ObjectIndex,
        now: i64,
        effects: &mut Effects<Work, Output>,
    ) {
        if self.object(index).is_idle() {
            self.leave(index, None, effects);
            self.close_if_quiet(index, now, effects);
        }
    }

    pub(super) fn evict_least_recently_used(
        &mut self,
        now: i64,
        effects: &mut Effects<Work, Output>,
    ) {
        let idle = self.objects.iter().filter(|(_, object)| object.is_idle());
        if let Some((index, _)) = idle.min_by_key(|(_, object)| object.last_active) {
            self.evict_if_idle(ObjectIndex(index), now, effects);
        }
    }

    pub(super) fn evict_idle(&mut self, now: i64, effects: &mut Effects<Work, Output>) {
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
                self.evict_if_idle(index, now, effects);
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
}
