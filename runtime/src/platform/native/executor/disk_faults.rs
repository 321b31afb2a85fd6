//! Faults of the simulated disk: a full disk, failing syncs, and slow ones.

use super::super::sim::FaultKind;
use super::super::store::{Change, disk_is_full};
use super::Shard;
use super::disk::Disk;
use super::slot::{Life, WriteFault};
use crate::error::StorageError;
use crate::object::id::RawId;

/// One in this many openings of a database fails on a full disk: those that must create a log.
const OPENINGS_THAT_NEED_ROOM: usize = 4;

impl Shard {
    pub(in super::super) fn fault_at_write(&self, life: &Life) -> Option<WriteFault> {
        let simulation = self.simulation.as_ref()?;
        if life.slot.gone.get() {
            // The test inspects the object.
            return None;
        }
        // A second panic, in a destructor that runs during the first one, would abort the test's
        // process.
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

    /// Whether a write to the object's file fails. An object without a file is in memory until its
    /// first commit is synced.
    pub(super) fn has_no_room(&self, id: RawId) -> bool {
        let (Some(simulation), Disk::Memory(memory)) = (&self.simulation, &self.disk) else {
            return false;
        };
        simulation.disk.is_full() && memory.writes_to_file(id)
    }

    /// Whether a database has a long log, which is moved when the object is idle.
    pub(super) fn has_long_log(&self) -> bool {
        let simulation = self.simulation.as_ref();
        simulation.is_some_and(|simulation| simulation.has_long_log())
    }

    /// Checks that no earlier activation still writes to the files of an object that is about to be
    /// opened.
    pub(super) fn check_files_are_free(&self, id: RawId) {
        if let (Some(simulation), Disk::Memory(memory)) = (&self.simulation, &self.disk)
            && memory.is_syncing(id)
        {
            let violation = "an object was opened while a commit of its last life was on its way";
            simulation.fail(violation.to_owned());
        }
    }

    /// Returns why the object's database cannot be opened, if so.
    pub(super) fn opening_fault(&self) -> Option<StorageError> {
        let simulation = self.simulation.as_ref()?;
        let fault = self.point(&[FaultKind::FailedSync, FaultKind::FullDisk]);
        if fault == Some(FaultKind::FailedSync) || simulation.disk.fails_syncs() {
            return Some(injected());
        }
        let needs_room = fault.is_some() || simulation.one_of(OPENINGS_THAT_NEED_ROOM) == 0;
        (simulation.disk.is_full() && needs_room).then(disk_is_full)
    }

    /// Returns why entries cannot be added to the index of alarms, if so.
    pub(super) fn recording_fault(&self) -> Option<StorageError> {
        let simulation = self.simulation.as_ref()?;
        let fault = self.point(&[FaultKind::FailedSync, FaultKind::FullDisk]);
        if fault == Some(FaultKind::FailedSync) || simulation.disk.fails_syncs() {
            return Some(injected());
        }
        simulation.disk.is_full().then(disk_is_full)
    }

    /// Changes the index of alarms later. A change that fails is lost.
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
