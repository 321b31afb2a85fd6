//! Checks a simulated host at rest: nothing may be left over of things that have ended, and
//! everything pending must happen in time.

use std::rc::Rc;

use super::super::kernel::{Limits, ObjectIndex};
use super::super::sim::{Entry, PendingRun, label_of_work};
use super::super::store::Database;
use super::Shard;
use super::disk::Disk;
use super::work::Work;
use crate::error::StorageError;
use crate::object::id::RawId;

/// How far a run is postponed that is due and cannot start, or was already due when it was
/// scheduled.
const POSTPONED_MS: i64 = 2_001;

impl Shard {
    /// Records what is about to be started.
    pub(super) fn begins(&self, work: &Work) {
        if let Some(simulation) = self.simulation() {
            let now = self.clock.now();
            simulation.under_way.begins(label_of_work(work), now);
        }
    }

    /// Records that what was just started continues. Only in the simulator.
    pub(super) fn goes_on(&self, object: ObjectIndex) -> Option<Entry> {
        let what = self.simulation()?.under_way.label();
        self.note_under_way(object, &what)
    }

    /// Records that the object runs this. Only in the simulator.
    pub(super) fn note_under_way(&self, object: ObjectIndex, what: &str) -> Option<Entry> {
        let under_way = &self.simulation()?.under_way;
        let slot = self.slot_at(object)?;
        Some(under_way.note(what, self.name(slot.id), self.clock.now()))
    }

    /// Describes what objects run and for how many seconds, or else the objects that wait.
    pub(in super::super) fn at_work(&self) -> Vec<String> {
        let now = self.clock.now();
        let described = self
            .simulation()
            .map(|simulation| simulation.under_way.described(now))
            .unwrap_or_default();
        if !described.is_empty() {
            return described;
        }
        let objects = self.kernel.borrow().at_work();
        let waits = |id: &RawId| format!("{} waits, or holds back what it sent", self.name(*id));
        objects.iter().map(waits).collect()
    }

    /// Whether no object has anything to do or to send, even if alarms are due.
    pub(in super::super) fn is_at_rest(&self) -> bool {
        self.kernel.borrow().at_work().is_empty()
    }

    /// Fails the test if the host is at rest and the kernel still holds something that has ended,
    /// or would miss an alarm.
    pub(in super::super) fn check_rest(&self) {
        if !self.is_quiet() {
            return;
        }
        let leftover = self.kernel.borrow().leftover(self.now());
        if let Some(simulation) = self.simulation()
            && let Some((object, leftover)) = leftover
        {
            let object = object.map(|id| format!(" of {}", self.name(id)));
            simulation.fail(format!(
                "the host is at rest and holds on to {leftover}{}",
                object.unwrap_or_default()
            ));
        }
    }

    /// Returns the alarms that will not fire in time, at any date. The chain is: an object's
    /// schedule, the platform's alarm in its database, the index, the timetable. Each must be at
    /// least as early as the one before it.
    pub(in super::super) fn lost_alarms(&self) -> Vec<String> {
        let Disk::Memory(memory) = &self.disk else {
            return Vec::new();
        };
        let objects = memory.ids().into_iter();
        let lost = objects.filter_map(|id| {
            let database = match memory.copy(id) {
                Ok(database) => database?,
                Err(error) => return Some(format!("{}, unreadable: {error}", self.name(id))),
            };
            match self.lost_alarm(id, &database) {
                Ok(lost) => lost.map(|why| format!("{} {why}", self.name(id))),
                Err(error) => Some(format!("{}, unreadable: {error}", self.name(id))),
            }
        });
        lost.collect()
    }

    fn lost_alarm(&self, id: RawId, database: &Database) -> Result<Option<String>, StorageError> {
        let runs = PendingRun::all_in(database)?;
        let due = runs.iter().map(|run| run.due.as_millis()).min();
        let alarm = database.alarm()?;
        let known = self
            .simulation()
            .map(|simulation| simulation.under_way.latest());
        let latest = due.max(
            known
                .max(Some(self.clock.now()))
                .map(|known| known + POSTPONED_MS),
        );
        if let Some(due) = due
            && alarm.is_none_or(|alarm| Some(alarm) > latest)
        {
            return Ok(Some(format!(
                "at {due}, for which its platform alarm is set to {alarm:?}"
            )));
        }
        let Some(alarm) = alarm else {
            return Ok(None);
        };
        let Some(entry) = self
            .disk
            .index()
            .find(id)?
            .filter(|entry| entry.at <= alarm)
        else {
            return Ok(Some(format!("at {alarm}, which the index lacks")));
        };
        // An alarm of a class that the app lacks waits for an app that has it.
        let is_expected =
            self.class(&entry.class).is_none() || self.kernel.borrow().expects_alarm(id, alarm);
        Ok((!is_expected).then(|| format!("at {alarm}, which the timetable lacks")))
    }

    /// Applies the simulation's limits to the kernel.
    pub(in super::super) fn limit_kernel(self: &Rc<Self>) {
        if let Some(simulation) = self.simulation() {
            let limits = simulation.limits.borrow().clone();
            self.kernel.borrow_mut().set_limits(limits);
            // Work that was above the limits may start now.
            self.inside(|| {});
        }
    }

    pub(super) fn limits(&self) -> Limits {
        let simulation = self.simulation();
        simulation.map_or_else(Limits::default, |simulation| {
            simulation.limits.borrow().clone()
        })
    }

    pub(super) fn name(&self, id: RawId) -> String {
        let simulation = self.simulation();
        simulation.map_or_else(|| id.to_string(), |simulation| simulation.trace.name_of(id))
    }
}
