//! Shared commits: which objects write, when the disk has their writes, and what is lost.

use std::cmp::Reverse;

use super::event::{Effect, ObjectIndex};
use super::object::{Presence, UnsettledRun};
use super::time::Now;
use super::{Effects, Kernel};
use crate::error::StorageError;
use crate::error::fault::Fault;

impl<Work, Output> Kernel<Work, Output> {
    pub(super) fn wrote(
        &mut self,
        index: ObjectIndex,
        now: i64,
        effects: &mut Effects<Work, Output>,
    ) {
        if !self.object(index).gate.write(now) {
            return;
        }
        self.watch_disk(index);
        self.dirty.push(index);
        if self.dirty.len() == 1 && self.commit.is_none() {
            effects.push(Effect::RequestCommit);
        }
    }

    pub(super) fn settled(&mut self, effects: &mut Effects<Work, Output>) {
        if self.commit.is_some() || self.dirty.is_empty() {
            return;
        }
        let objects = std::mem::take(&mut self.dirty);
        for &index in &objects {
            let object = self.object(index);
            object.gate.begin_commit();
            object.is_syncing = true;
            object.unsettled_run = object.unsettled_run.map(|_| UnsettledRun::Committing);
        }
        self.commit = Some(objects.clone());
        effects.push(Effect::Commit { objects });
    }

    /// Returns the objects of the next commit.
    pub(crate) fn dirty(&self) -> &[ObjectIndex] {
        &self.dirty
    }

    /// Takes the alarms that objects changed, as the next commit would leave them. Returns those
    /// that must be in the index, on disk, before `Settled`. With `latest`, no returned date is
    /// later than that.
    pub(crate) fn alarms_to_record(
        &mut self,
        alarms: &[(ObjectIndex, Option<i64>)],
        latest: Option<i64>,
    ) -> Vec<(ObjectIndex, i64)> {
        let mut earlier = Vec::new();
        for &(index, alarm) in alarms {
            if let Some(object) = self.objects.get_mut(index.0)
                && let Some(at) = object.alarm.begin_recording(alarm, latest)
            {
                earlier.push((index, at));
            }
        }
        earlier
    }

    /// Records that an object's alarm is in the index, or could not be written to it. Returns
    /// whether this is still expected, because the object may have been reset since, and woken
    /// again.
    pub(crate) fn alarm_recorded(&mut self, index: ObjectIndex, at: i64, succeeded: bool) -> bool {
        let object = self.objects.get_mut(index.0);
        object.is_some_and(|object| object.alarm.recorded(at, succeeded))
    }

    /// Records an object's changed alarm, as read from its database just before its commit. Returns
    /// `false` if the index would wake the object too late. The commit must then not be made.
    pub(crate) fn alarm_committing(&mut self, index: ObjectIndex, alarm: Option<i64>) -> bool {
        let object = self.objects.get_mut(index.0);
        object.is_none_or(|object| object.alarm.begin_commit(alarm))
    }

    pub(super) fn synced(
        &mut self,
        failed: Vec<(ObjectIndex, Fault)>,
        now: Now,
        effects: &mut Effects<Work, Output>,
    ) {
        let Some(objects) = self.commit.take() else {
            return;
        };
        for &index in &objects {
            if let Some(object) = self.objects.get_mut(index.0) {
                object.is_syncing = false;
            }
        }
        for (index, fault) in failed {
            if self.is_committing(index) {
                self.lose(index, &fault, now, effects);
            }
        }
        let mut updates = Vec::new();
        for index in objects {
            let Some(object) = self.objects.get_mut(index.0) else {
                continue;
            };
            if !object.gate.is_committing() {
                // It was reset meanwhile, and waits to be closed.
                self.close_if_quiet(index, now.steady, effects);
                continue;
            }
            let id = object.id;
            let released = object.gate.durable();
            effects.extend(released.map(|output| Effect::Release {
                object: index,
                output,
            }));
            if let Some((alarm, index_follows)) = object.alarm.durable() {
                self.timetable.set(id, alarm);
                if index_follows {
                    updates.push((id, alarm));
                }
            }
            // Other events may have written meanwhile. This is ignored, because an object may be
            // written to continuously.
            if object.unsettled_run == Some(UnsettledRun::Committing) {
                object.unsettled_run = None;
                self.timetable.settled(id);
            }
            self.close_if_quiet(index, now.steady, effects);
        }
        self.leave_room(now.steady, effects);
        if !updates.is_empty() {
            effects.push(Effect::UpdateIndex { alarms: updates });
        }
        if !self.dirty.is_empty() {
            effects.push(Effect::RequestCommit);
        }
    }

    /// Returns `false` for an object that was reset after its commit began, and possibly forgotten.
    fn is_committing(&self, index: ObjectIndex) -> bool {
        self.objects
            .get(index.0)
            .is_some_and(|object| object.gate.is_committing())
    }

    /// Handles the possible loss of the object's last writes: nothing based on them may be seen
    /// (P9).
    pub(super) fn lose(
        &mut self,
        index: ObjectIndex,
        fault: &Fault,
        now: Now,
        effects: &mut Effects<Work, Output>,
    ) {
        let object = &mut self.objects[index.0];
        let id = object.id;
        let fail = |output| Effect::Fail {
            output,
            fault: fault.clone(),
        };
        effects.extend(object.gate.discard_all().map(fail));
        if let Some(at) = object.alarm.lost() {
            self.timetable.lower(id, at);
        }
        self.dirty.retain(|dirty| *dirty != index);
        self.timetable.lost_by_the_disk(id);
        if object.unsettled_run.take().is_some() {
            self.timetable.unsettled(id, now);
            self.leave_out_alarms(effects);
        }
        self.leave(index, Some(fault.clone()), effects);
        self.close_if_quiet(index, now.steady, effects);
    }

    /// Fails what waited for the open transaction, which was rolled back.
    pub(super) fn discard_open(
        &mut self,
        index: ObjectIndex,
        fault: &Fault,
        now: Now,
        effects: &mut Effects<Work, Output>,
    ) {
        let object = &mut self.objects[index.0];
        let fail = |output| Effect::Fail {
            output,
            fault: fault.clone(),
        };
        effects.extend(object.gate.discard_open().map(fail));
        self.dirty.retain(|dirty| *dirty != index);
        if object.unsettled_run == Some(UnsettledRun::Open) {
            object.unsettled_run = None;
            self.timetable.unsettled(object.id, now);
        }
    }

    /// Schedules a check for the time at which the disk's limit for the object ends.
    pub(super) fn watch_disk(&mut self, index: ObjectIndex) {
        if let Some(object) = self.objects.get_mut(index.0)
            && object.disk_check_at.is_none()
            && let Some(since) = object.waits_for_disk_since()
        {
            let at = since + self.limits.commit_ms;
            object.disk_check_at = Some(at);
            self.disk_checks.push(Reverse((at, index)));
        }
    }

    /// Gives up on what has waited too long for the disk. Everything has the same limit, measured
    /// from its own first write: the batch in flight, what was written after it, and a database
    /// that is being closed.
    pub(super) fn give_up_on_the_disk(&mut self, now: Now, effects: &mut Effects<Work, Output>) {
        while let Some(&Reverse((at, index))) = self.disk_checks.peek()
            && at <= now.steady
        {
            self.disk_checks.pop();
            let limit = self.limits.commit_ms;
            let Some(object) = self.objects.get_mut(index.0) else {
                continue;
            };
            if object.disk_check_at != Some(at) {
                continue;
            }
            object.disk_check_at = None;
            let overdue = object
                .waits_for_disk_since()
                .is_some_and(|since| since + limit <= now.steady);
            if overdue {
                let fault = |what: &str| {
                    Fault::Storage(StorageError::Io(format!(
                        "the disk did not {what} within {} s",
                        limit / 1_000
                    )))
                };
                let is_moving = match object.presence {
                    Presence::Waking | Presence::Closing => true,
                    Presence::Leaving => object.gate.is_quiet(),
                    Presence::Absent | Presence::Resident => false,
                };
                if is_moving || object.lent_since.is_some() {
                    // Nothing can be lost. Only the waiting events are refused.
                    object.moves_since = now.steady;
                    object.lent_since = object.lent_since.map(|_| now.steady);
                    let fault = fault("open or close the object's database");
                    self.refuse_waiting(index, &fault, effects);
                } else {
                    let fault = fault(
                        "confirm a write of the object, which may be kept or lost: it was reset. It did not answer",
                    );
                    self.lose(index, &fault, now, effects);
                }
            }
            self.watch_disk(index);
        }
    }
}
