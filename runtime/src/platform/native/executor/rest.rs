//! Whether a simulated host that is at rest is as it should be: nothing is left over of what has
//! ended, and everything that is pending will happen in time.

use std::rc::Rc;

use super::super::kernel::{Limits, ObjectIndex};
use super::super::sim::{Entry, PendingRun, label_of_work};
use super::super::store::Database;
use super::Shard;
use super::disk::Disk;
use super::work::Work;
use crate::error::StorageError;
use crate::object::id::RawId;

/// One that is due and cannot start, or was due already when it was scheduled, is put off by so much.
const POSTPONED_MS: i64 = 2_001;

impl Shard {
    /// Notes what is about to be started.
    pub(super) fn begins(&self, work: &Work) {
        if let Some(simulation) = self.simulation() {
            let now = self.clock.now();
            simulation.under_way.begins(label_of_work(work), now);
        }
    }

    /// Notes that what was started just now goes on; in the simulator only.
    pub(super) fn goes_on(&self, object: ObjectIndex) -> Option<Entry> {
        let what = self.simulation()?.under_way.label();
        self.note_under_way(object, &what)
    }

    /// Notes that the object runs this, in the simulator.
    pub(super) fn note_under_way(&self, object: ObjectIndex, what: &str) -> Option<Entry> {
        let under_way = &self.simulation()?.under_way;
        let slot = self.slot_at(object)?;
        Some(under_way.note(what, self.name(slot.id), self.clock.now()))
    }

    /// What objects run or wait for, each with the time since when; the longest first.
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

    /// Whether no object has anything to do or to send, whatever is due.
    pub(in super::super) fn is_at_rest(&self) -> bool {
        self.kernel.borrow().at_work().is_empty()
    }

    /// Fails the test if the host is at rest and the kernel holds on to something that is over, or
    /// would miss an alarm.
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

    /// Alarms that will not fire in time, whenever they are due. What an object has scheduled, the
    /// platform's alarm in its database, the index, the timetable: each has to be as early as the one
    /// before it.
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
        // That of a class which the app lacks waits for one that has it.
        let is_expected =
            self.class(&entry.class).is_none() || self.kernel.borrow().expects_alarm(id, alarm);
        Ok((!is_expected).then(|| format!("at {alarm}, which the timetable lacks")))
    }

    /// Has the kernel take on no more than the simulation's limits say.
    pub(in super::super) fn limit_kernel(self: &Rc<Self>) {
        if let Some(simulation) = self.simulation() {
            let limits = simulation.limits.borrow().clone();
            self.kernel.borrow_mut().set_limits(limits);
            // What was too much may start now.
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
