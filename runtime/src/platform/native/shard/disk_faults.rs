//! The simulated disk fails: where it has no room, where a sync fails, and how long one takes.

use std::rc::Rc;

use super::super::disk::Disk;
use super::super::kernel::ObjectIndex;
use super::super::sim::{FaultKind, Simulation};
use super::super::slot::Life;
use super::super::store::{Change, disk_is_full};
use super::Shard;
use crate::error::StorageError;
use crate::fault::Fault;
use crate::id::RawId;

/// One opening of a database in so many fails on a full disk: where its log has to be made.
const OPENINGS_THAT_NEED_ROOM: usize = 4;

/// What goes wrong at a write to an object's storage.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum WriteFault {
    Panic,
    /// With `spills`, SQLite needs the room before the commit.
    NoRoom {
        spills: bool,
    },
}

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
        simulation.disk.is_full() && memory.has_file(id)
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
    pub(super) fn opening_fault(&self, id: RawId) -> Option<StorageError> {
        let simulation = self.simulation.as_ref()?;
        let Disk::Memory(memory) = &self.disk else {
            return None;
        };
        if !memory.has_file(id) {
            return None;
        }
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

    /// What is in the index is on disk: a step as well.
    pub(super) async fn index_answers(self: &Rc<Self>, simulation: &Simulation) {
        let machine = simulation.machine();
        simulation.delay().await;
        simulation.disk.answers().await;
        self.sync_takes_its_time(simulation).await;
        if let Disk::Memory(memory) = &self.disk
            && simulation.is_running(machine)
        {
            memory.index_synced();
        }
    }

    pub(super) async fn sync_takes_its_time(self: &Rc<Self>, simulation: &Simulation) {
        let possible = [
            FaultKind::SlowDisk,
            FaultKind::HangingSync,
            FaultKind::Crash,
        ];
        let at_most = match self.point(&possible) {
            Some(FaultKind::SlowDisk) => 20_000,
            Some(FaultKind::HangingSync) => 180_000,
            _ => 0,
        };
        if at_most > 0 {
            simulation.disk.takes(simulation.up_to(at_most)).await;
        }
        self.inside(|| {});
    }

    /// The commits of a batch reach the disk, one object after the other: those that do not.
    pub(super) fn sync_batch(&self, simulation: &Simulation) -> Vec<(ObjectIndex, Fault)> {
        let Disk::Memory(memory) = &self.disk else {
            return Vec::new();
        };
        let mut failed = Vec::new();
        for (object, id) in memory.take_batch() {
            let fault = self.point(&[FaultKind::Crash, FaultKind::FailedSync, FaultKind::FullDisk]);
            if fault == Some(FaultKind::Crash) {
                break;
            }
            if simulation.disk.is_full() && !memory.has_file(id) {
                // The file was to be made now.
                memory.sync_failed(id, |_| 0);
                failed.push((object, Fault::Storage(disk_is_full())));
            } else if fault == Some(FaultKind::FailedSync) || simulation.disk.fails_syncs() {
                memory.sync_failed(id, |commits| simulation.kept(commits));
                failed.push((object, Fault::Storage(injected())));
            } else {
                memory.synced(id);
            }
        }
        failed
    }
}

pub(super) fn injected() -> StorageError {
    StorageError::Io("injected".to_owned())
}
