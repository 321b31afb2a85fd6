//! The simulated disk fails: where it has no room, where a sync fails, and how long one takes.

use super::super::sim::FaultKind;
use super::super::store::{Change, disk_is_full};
use super::Shard;
use super::disk::Disk;
use super::slot::{Life, WriteFault};
use crate::error::StorageError;
use crate::object::id::RawId;

/// One opening of a database in so many fails on a full disk: where its log has to be made.
const OPENINGS_THAT_NEED_ROOM: usize = 4;

impl Shard {
    pub(in super::super) fn fault_at_write(&self, life: &Life) -> Option<WriteFault> {
        let simulation = self.simulation.as_ref()?;
        if life.slot.gone.get() {
            // The test looks inside.
            return None;
        }
        // A second panic, in a destructor that the first one runs, would end the test's process.
        let may_panic = life.in_segment.get() && !std::thread::panicking();
        let possible: &[FaultKind] = if may_panic {
            &[FaultKind::PanicAtWrite, FaultKind::FullDisk]
        } else {
            &[FaultKind::FullDisk]
        };
        if self.point(possible) == Some(FaultKind::PanicAtWrite) {
            return Some(WriteFault::Panic);
        }
        self.has_no_room(life.slot.id).then(|| WriteFault::NoRoom {
            spills: simulation.one_of(2) == 0,
        })
    }

    /// Whether a write to the object's file fails. Without a file, the object is in memory until
    /// its first commit is synced.
    pub(super) fn has_no_room(&self, id: RawId) -> bool {
        let (Some(simulation), Disk::Memory(memory)) = (&self.simulation, &self.disk) else {
            return false;
        };
        simulation.disk.is_full() && memory.writes_to_file(id)
    }

    /// Whether the log of a database has grown long: it is moved when the object rests.
    pub(super) fn has_long_log(&self) -> bool {
        let simulation = self.simulation.as_ref();
        simulation.is_some_and(|simulation| simulation.has_long_log())
    }

    /// An earlier life of an object that is about to be opened must not write to its files any more.
    pub(super) fn check_files_are_free(&self, id: RawId) {
        if let (Some(simulation), Disk::Memory(memory)) = (&self.simulation, &self.disk)
            && memory.is_syncing(id)
        {
            let violation = "an object was opened while a commit of its last life was on its way";
            simulation.fail(violation.to_owned());
        }
    }

    /// Why the object's database cannot be opened.
    pub(super) fn opening_fault(&self) -> Option<StorageError> {
        let simulation = self.simulation.as_ref()?;
        let fault = self.point(&[FaultKind::FailedSync, FaultKind::FullDisk]);
        if fault == Some(FaultKind::FailedSync) || simulation.disk.fails_syncs() {
            return Some(injected());
        }
        let needs_room = fault.is_some() || simulation.one_of(OPENINGS_THAT_NEED_ROOM) == 0;
        (simulation.disk.is_full() && needs_room).then(disk_is_full)
    }

    /// Why entries cannot be added to the index of alarms.
    pub(super) fn recording_fault(&self) -> Option<StorageError> {
        let simulation = self.simulation.as_ref()?;
        let fault = self.point(&[FaultKind::FailedSync, FaultKind::FullDisk]);
        if fault == Some(FaultKind::FailedSync) || simulation.disk.fails_syncs() {
            return Some(injected());
        }
        simulation.disk.is_full().then(disk_is_full)
    }

    /// Changes the index of alarms some time later. A change that fails is lost.
    pub(super) fn change_index(&self, changes: Vec<Change>) {
        match self.recording_fault() {
            Some(error) => tracing::error!(%error, "the index of alarms cannot be written"),
            None => self.disk.write_index(changes),
        }
    }
}

pub(super) fn injected() -> StorageError {
    StorageError::Io("injected".to_owned())
}
