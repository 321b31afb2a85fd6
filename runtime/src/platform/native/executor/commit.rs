//! Commits a batch: records alarms in the index, closes transactions, then syncs.

use std::cell::RefMut;
use std::rc::Rc;

use super::super::kernel::ObjectIndex;
use super::super::sim::FaultKind;
use super::super::store::{Database, Entry, Unsynced, disk_is_full};
use super::disk::Disk;
use super::disk_faults::injected;
use super::slot::Life;
use super::{Event, Shard};
use crate::error::StorageError;
use crate::error::fault::Fault;

impl Shard {
    /// Writes the alarms that the next commit would leave to the index before the commit is made. A
    /// crash then leaves no alarm that the index does not know. Another thread waits for the disk.
    /// Meanwhile objects continue, and may change their alarms again.
    pub(super) async fn record_alarms(self: &Rc<Self>) {
        // Set from the second pass on: dates that turns set after this time are later than it.
        let mut latest = None;
        loop {
            let earlier = self.alarms_to_record(latest);
            if earlier.is_empty() {
                return;
            }
            latest = Some(self.clock.now());
            let entry = |&(object, at): &(ObjectIndex, i64)| {
                let slot = self.slot_at(object)?;
                Some(slot.index_entry(at))
            };
            let entries = earlier.iter().filter_map(entry).collect();
            let recorded = self.record(entries).await;
            for (object, at) in earlier {
                let succeeded = recorded.is_ok();
                let is_expected = self
                    .kernel
                    .borrow_mut()
                    .alarm_recorded(object, at, succeeded);
                if let (true, Err(error)) = (is_expected, &recorded) {
                    self.commit_failed(object, error.clone());
                }
            }
        }
    }

    async fn record(self: &Rc<Self>, entries: Vec<Entry>) -> Result<(), StorageError> {
        if let Some(error) = self.recording_fault() {
            return Err(error);
        }
        let recorded = self.disk.record(entries);
        if let Some(simulation) = &self.simulation {
            self.index_answers(simulation).await;
        }
        recorded.await.unwrap_or_else(|_| {
            Err(StorageError::Io(
                "the index of alarms is no longer written".to_owned(),
            ))
        })
    }

    fn alarms_to_record(&self, latest: Option<i64>) -> Vec<(ObjectIndex, i64)> {
        let dirty = self.kernel.borrow().dirty().to_vec();
        let changed = |object| {
            let life = self.life_at(object)?;
            // A database that cannot be read fails at its commit.
            Some((object, changed_alarm(&life).ok()??))
        };
        let changed: Vec<_> = dirty.into_iter().filter_map(changed).collect();
        self.kernel.borrow_mut().alarms_to_record(&changed, latest)
    }

    /// Commits these objects. `_cf_ALARM`, as each database will be committed, is the only source
    /// of truth for an object's alarm. It is read here, after every rollback. Index and timetable
    /// follow it.
    pub(super) fn commit(self: &Rc<Self>, objects: &[ObjectIndex]) {
        let lives: Vec<(ObjectIndex, Rc<Life>)> = objects
            .iter()
            .filter_map(|&object| Some((object, self.life_at(object)?)))
            .collect();
        let mut failed = Vec::new();
        for (object, life) in &lives {
            match changed_alarm(life) {
                Ok(Some(alarm)) => {
                    let mut kernel = self.kernel.borrow_mut();
                    if !kernel.alarm_committing(*object, alarm) {
                        let error = "an alarm is not in the index of alarms";
                        failed.push((*object, StorageError::Io(error.to_owned())));
                    }
                }
                Ok(None) => {}
                Err(error) => failed.push((*object, error)),
            }
        }
        let mut batch = Vec::with_capacity(lives.len());
        for (object, life) in lives {
            let possible = [
                FaultKind::Crash,
                FaultKind::FailedCommit,
                FaultKind::FullDisk,
            ];
            match self.point(&possible) {
                Some(FaultKind::Crash) => return,
                Some(FaultKind::FailedCommit) => failed.push((object, injected())),
                _ if self.has_no_room(life.slot.id) => failed.push((object, disk_is_full())),
                _ => {}
            }
            let failure = failed.iter().position(|(failed, _)| *failed == object);
            let committed = match failure {
                Some(position) => Err(failed.swap_remove(position).1),
                None => self.commit_one(object, &life),
            };
            match committed {
                Ok(Some(unsynced)) => {
                    batch.push((object, unsynced));
                    let has_long_log = |database: RefMut<'_, Database>| database.has_long_log();
                    if life.committable().is_some_and(has_long_log) {
                        self.long_logs.borrow_mut().push(object);
                    }
                }
                Ok(None) => {}
                Err(error) => self.commit_failed(object, error),
            }
        }
        if self.point(&[FaultKind::Crash]).is_none() {
            self.disk.sync(batch);
        }
    }

    fn commit_one(
        &self,
        object: ObjectIndex,
        life: &Life,
    ) -> Result<Option<Unsynced>, StorageError> {
        let Some(mut database) = life.committable() else {
            return Ok(None);
        };
        let has_writes = database.is_in_transaction();
        let unsynced = database.commit()?;
        if let Disk::Memory(memory) = &self.disk
            && has_writes
        {
            let change = memory.committed(object, life.slot.id, &mut database)?;
            self.trace_values(change);
            database.set_long_log(self.has_long_log());
        }
        Ok(unsynced)
    }

    pub(super) fn life_at(&self, object: ObjectIndex) -> Option<Rc<Life>> {
        self.residents.life(object)
    }

    /// Discards the object's open transaction.
    fn commit_failed(self: &Rc<Self>, object: ObjectIndex, error: StorageError) {
        if let Some(life) = self.life_at(object) {
            if let Some(database) = life.committable() {
                database.roll_back();
            }
            let slot = &life.slot;
            tracing::error!(%error, class = slot.class.name, id = %slot.id, "a commit failed");
        }
        self.handle(Event::CommitFailed {
            object,
            fault: Fault::Storage(error),
        });
    }
}

/// Returns the object's alarm as its next commit will leave it, if it may have changed.
fn changed_alarm(life: &Life) -> Result<Option<Option<i64>>, StorageError> {
    let Some(database) = life.committable() else {
        return Ok(None);
    };
    if database.is_as_at_wake()? {
        // Nothing of this object is kept, so it has no alarm.
        return Ok(None);
    }
    database.touched_alarm()
}
