//! Moves alarms from the index and from commits into the timetable, and from there to their
//! objects.

use super::event::{AlarmOutcome, Effect};
use super::object::UnsettledRun;
use super::time::Now;
use super::timetable::IndexedAlarm;
use super::{Effects, Kernel};
use crate::object::id::RawId;
use crate::schedule::run::LostTries;

/// How many alarms fire in one event. Events of other tasks can be handled in between.
const FIRED_TOGETHER: usize = 8;

impl<Work, Output> Kernel<Work, Output> {
    /// All alarms of the index up to this date are in memory. Reading further would have no effect
    /// now.
    pub(crate) fn alarm_horizon(&self) -> i64 {
        self.timetable.horizon()
    }

    /// Records that an event of the object's alarm starts there. Returns what the disk lost of
    /// those before it.
    pub(crate) fn start_tries(&mut self, id: RawId) -> LostTries {
        self.timetable.start_tries(id)
    }

    pub(super) fn alarms_loaded(&mut self, alarms: Vec<IndexedAlarm>, last: bool, now: Now) {
        for alarm in alarms {
            self.timetable.load(alarm, now);
        }
        if last {
            self.timetable.end_loading();
        }
    }

    pub(super) fn alarm_finished(
        &mut self,
        id: RawId,
        outcome: AlarmOutcome,
        now: Now,
        effects: &mut Effects<Work, Output>,
    ) {
        if matches!(outcome, AlarmOutcome::Lost { .. }) {
            self.timetable.lost_by_the_disk(id);
        }
        let tried = matches!(outcome, AlarmOutcome::Done | AlarmOutcome::Failed { .. });
        self.timetable.end_tries(id, tried);
        let object = self.find(id);
        let unsettled = object.filter(|index| self.object(*index).gate.unsynced_since().is_some());
        match (outcome, unsettled) {
            // What is not durable may still be lost, so timetable and index follow only commits.
            (
                AlarmOutcome::Done | AlarmOutcome::NothingDue | AlarmOutcome::Stale { .. },
                Some(index),
            ) => {
                self.timetable.finished(id, true);
                let object = self.object(index);
                object.unsettled_run = Some(match object.gate.is_dirty() {
                    true => UnsettledRun::Open,
                    false => UnsettledRun::Committing,
                });
            }
            (AlarmOutcome::Done | AlarmOutcome::NothingDue, None) => {
                self.timetable.finished(id, false)
            }
            (AlarmOutcome::Stale { actual }, None) => {
                self.timetable.was_stale(id, actual);
                if let Some(index) = object {
                    self.object(index).alarm.known(actual);
                }
                effects.push(Effect::UpdateIndex {
                    alarms: vec![(id, actual)],
                });
            }
            (AlarmOutcome::Failed { random } | AlarmOutcome::Lost { random }, _) => {
                self.timetable.failed(id, now, random)
            }
            (AlarmOutcome::Postponed, _) => self.timetable.postponed(id, now),
        }
        self.leave_out_alarms(effects);
        if self.timetable.wants_loading() {
            effects.push(Effect::LoadAlarms);
        }
    }

    pub(super) fn leave_out_alarms(&mut self, effects: &mut Effects<Work, Output>) {
        let alarms = self.timetable.take_left_out();
        if !alarms.is_empty() {
            effects.push(Effect::PauseInIndex { alarms });
        }
    }

    /// Fires a few alarms. The remaining ones are due at once.
    pub(super) fn fire_alarms(&mut self, now: Now, effects: &mut Effects<Work, Output>) {
        if self.draining {
            return;
        }
        for _ in 0..FIRED_TOGETHER {
            let Some(id) = self.timetable.fire(now) else {
                return;
            };
            effects.push(Effect::FireAlarm { id });
        }
    }
}
