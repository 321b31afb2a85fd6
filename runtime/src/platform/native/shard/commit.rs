//! Committing a batch: alarms into the index, transactions closed, then the disk.

use std::cell::RefMut;
use std::rc::Rc;

use super::super::kernel::ObjectIndex;
use super::super::sim::FaultKind;
use super::super::slot::Life;
use super::super::store::{Database, Entry, Unsynced};
use super::{Event, Shard};
use crate::error::StorageError;
use crate::fault::Fault;

impl Shard {
    /// `_cf_ALARM`, as each database will be committed, is the one truth about an object's alarm:
    /// it is read here, behind every rollback, and index and timetable follow it.
    pub(super) fn commit(self: &Rc<Self>, objects: &[ObjectIndex]) {
        let lives: Vec<(ObjectIndex, Rc<Life>)> = objects
            .iter()
            .filter_map(|&object| Some((object, self.life_at(object)?)))
            .collect();
        let (mut alarms, mut failed) = (Vec::new(), Vec::new());
        for (object, life) in &lives {
            let is_as_at_wake = |database: RefMut<'_, Database>| database.is_as_at_wake();
            if matches!(life.committable().map(is_as_at_wake), Some(Ok(true))) {
                // Nothing is kept of this object, and so no alarm.
                continue;
            }
            match life.committable().map(|database| database.touched_alarm()) {
                Some(Ok(Some(alarm))) => alarms.push((*object, alarm)),
                Some(Err(error)) => failed.push((*object, error)),
                Some(Ok(None)) | None => {}
            }
        }
        if !alarms.is_empty() {
            let earlier = self.kernel.borrow_mut().alarms_read(&alarms);
            if let Err(error) = self.record_alarms(&earlier) {
                failed.extend(earlier.iter().map(|(object, _)| (*object, error.clone())));
            }
        }
        let mut batch = Vec::with_capacity(lives.len());
        for (object, life) in lives {
            match self.point(&[FaultKind::Crash, FaultKind::FailedCommit]) {
                Some(FaultKind::Crash) => return,
                Some(_) => failed.push((object, StorageError::Io("injected".to_owned()))),
                None => {}
            }
            let failure = failed.iter().position(|(failed, _)| *failed == object);
            match self.commit_one(
                &life,
                failure.map(|position| failed.swap_remove(position).1),
            ) {
                Ok(Some(unsynced)) => {
                    batch.push((object, unsynced));
                    let has_long_log = |database: RefMut<'_, Database>| database.has_long_log();
                    if life.committable().is_some_and(has_long_log) {
                        self.long_logs.borrow_mut().push(object);
                    }
                }
                Ok(None) => {}
                Err(error) => {
                    let slot = &life.slot;
                    tracing::error!(%error, class = slot.description.class, id = %slot.id, "a commit failed");
                    self.handle(Event::CommitFailed {
                        object,
                        fault: Fault::Storage(error),
                    });
                }
            }
        }
        if self.point(&[FaultKind::Crash]).is_none() {
            self.disk.sync(batch);
        }
    }

    pub(super) fn life_at(&self, object: ObjectIndex) -> Option<Rc<Life>> {
        let slot = self.slot_at(object)?;
        let resident = slot.resident.borrow();
        Some(Rc::clone(&resident.as_ref()?.life))
    }

    fn commit_one(
        &self,
        life: &Life,
        failure: Option<StorageError>,
    ) -> Result<Option<Unsynced>, StorageError> {
        let Some(mut database) = life.committable() else {
            return Ok(None);
        };
        match failure {
            None => database.commit(),
            Some(error) => {
                database.roll_back();
                Err(error)
            }
        }
    }

    /// Before the commits, so that no crash leaves an alarm that nobody knows of.
    fn record_alarms(&self, alarms: &[(ObjectIndex, i64)]) -> Result<(), StorageError> {
        if alarms.is_empty() {
            return Ok(());
        }
        let entry = |&(object, at): &(ObjectIndex, i64)| {
            let slot = self.slot_at(object)?;
            Some(slot.index_entry(at))
        };
        let entries: Vec<Entry> = alarms.iter().filter_map(entry).collect();
        self.disk.index().record(&entries)
    }
}
