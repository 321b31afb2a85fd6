//! The threads of the simulated disk, one task each. Openings, syncs and closings do not wait for
//! each other. Each job is a step like any other. Events may occur before it, and so may a crash.

use std::rc::Rc;

use super::super::kernel::ObjectIndex;
use super::super::sim::{FaultKind, MemoryDisk, Simulation, Unsynced};
use super::super::store::disk_is_full;
use super::Shard;
use super::disk::Disk;
use super::disk_faults::injected;
use super::jobs::CloseJob;
use super::work::Inbound;
use crate::error::StorageError;
use crate::error::fault::Fault;

/// Half of the syncs that take longer than this fail, because the device gives up.
const DEVICE_TIMEOUT_MS: u64 = 30_000;

/// The result of waiting for the disk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waited {
    /// The disk has done the job.
    Answered,
    /// The device failed after a long time.
    TimedOut,
    /// The process has ended meanwhile.
    Ended,
}

impl Shard {
    fn memory(&self) -> Option<(&Simulation, &MemoryDisk)> {
        match (&self.simulation, &self.disk) {
            (Some(simulation), Disk::Memory(memory)) => Some((simulation, memory)),
            _ => None,
        }
    }

    pub(super) async fn open_one_by_one(self: Rc<Self>) {
        let Some((simulation, memory)) = self.memory() else {
            return;
        };
        loop {
            memory.opening.has_job().await;
            let waited = self.wait_for_disk(simulation).await;
            if waited == Waited::Ended {
                continue;
            }
            let Some((object, id)) = memory.opening.take() else {
                continue;
            };
            let opened = match self.opening_fault() {
                Some(error) => Err(error),
                None if waited == Waited::TimedOut => Err(injected()),
                None => memory.open(id).map(Box::new),
            };
            self.receive_one(Inbound::Opened { object, opened });
        }
    }

    pub(super) async fn sync_one_by_one(self: Rc<Self>) {
        let Some((simulation, memory)) = self.memory() else {
            return;
        };
        loop {
            memory.syncing.has_job().await;
            if let Some(failed) = self.sync_batch(simulation, memory).await {
                drop(memory.syncing.take());
                self.receive_one(Inbound::Synced { failed });
            }
        }
    }

    /// Syncs the commits of the first batch, one object after the other. Returns those that failed,
    /// or `None` if the process has ended.
    async fn sync_batch(
        self: &Rc<Self>,
        simulation: &Simulation,
        memory: &MemoryDisk,
    ) -> Option<Vec<(ObjectIndex, Fault)>> {
        let mut failed = Vec::new();
        let batch = memory.syncing.with(|batches| batches.front().cloned())?;
        if batch.is_empty() && self.wait_for_disk(simulation).await == Waited::Ended {
            return None;
        }
        for unsynced in &*batch {
            if let Err(error) = self.sync_one(simulation, memory, unsynced).await? {
                memory.sync_failed(unsynced, |commits| simulation.kept(commits));
                failed.push((unsynced.object, Fault::Storage(error)));
            } else {
                memory.synced(unsynced);
            }
        }
        // The process may end after all is on disk and before any caller is answered.
        let machine = simulation.machine();
        self.inside(|| self.point(&[FaultKind::Crash]));
        simulation.is_running(machine).then_some(failed)
    }

    /// Syncs what a commit has written, and then the folder if the file is new in it. Returns
    /// `None` if the process has ended.
    async fn sync_one(
        self: &Rc<Self>,
        simulation: &Simulation,
        memory: &MemoryDisk,
        unsynced: &Unsynced,
    ) -> Option<Result<(), StorageError>> {
        let written = self.sync_once(simulation, unsynced).await?;
        if written.is_err() || !unsynced.needs_file() {
            return Some(written);
        }
        memory.name(unsynced);
        self.sync_once(simulation, unsynced).await
    }

    async fn sync_once(
        self: &Rc<Self>,
        simulation: &Simulation,
        unsynced: &Unsynced,
    ) -> Option<Result<(), StorageError>> {
        let waited = self.wait_for_disk(simulation).await;
        if waited == Waited::Ended {
            return None;
        }
        let fault = self.point(&[FaultKind::FailedSync, FaultKind::FullDisk]);
        let fails = fault == Some(FaultKind::FailedSync)
            || waited == Waited::TimedOut
            || simulation.disk.fails_syncs();
        Some(if simulation.disk.is_full() && unsynced.needs_file() {
            Err(disk_is_full())
        } else if fails {
            Err(injected())
        } else {
            Ok(())
        })
    }

    pub(super) async fn close_one_by_one(self: Rc<Self>) {
        let Some((simulation, memory)) = self.memory() else {
            return;
        };
        loop {
            memory.closing.has_job().await;
            let waited = self.wait_for_disk(simulation).await;
            if waited == Waited::Ended {
                continue;
            }
            match memory.closing.take() {
                // SQLite does not report a sync that fails here. Its log remains.
                Some(CloseJob::Close(object, _)) => self.receive_one(Inbound::Closed { object }),
                Some(CloseJob::ShortenLog(object, mut database)) => {
                    let fault = self.point(&[FaultKind::FailedSync]);
                    let fails = fault.is_some()
                        || waited == Waited::TimedOut
                        || simulation.disk.fails_syncs();
                    let result = if fails { Err(injected()) } else { Ok(()) };
                    database.set_long_log(false);
                    self.receive_one(Inbound::LogShortened {
                        object,
                        database,
                        result,
                    });
                }
                None => {}
            }
        }
    }

    /// Waits for the disk, and records that the contents of the index are on disk.
    pub(super) async fn index_answers(self: &Rc<Self>, simulation: &Simulation) {
        let waited = self.wait_for_disk(simulation).await;
        if let Disk::Memory(memory) = &self.disk
            && waited != Waited::Ended
        {
            memory.index_synced();
        }
    }

    /// Waits as long as a sync takes. The process may end before it and during it.
    async fn wait_for_disk(self: &Rc<Self>, simulation: &Simulation) -> Waited {
        let machine = simulation.machine();
        let possible = [
            FaultKind::SlowDisk,
            FaultKind::HangingSync,
            FaultKind::Crash,
        ];
        let answer = async {
            simulation.delay().await;
            simulation.disk.answers().await;
            let at_most = match self.inside(|| self.point(&possible)) {
                Some(FaultKind::SlowDisk) => 20_000,
                Some(FaultKind::HangingSync) => 180_000,
                _ => return Waited::Answered,
            };
            let takes = simulation.up_to(at_most);
            let times_out =
                takes.as_millis() > u128::from(DEVICE_TIMEOUT_MS) && simulation.one_of(2) == 0;
            if simulation.disk.takes(takes).await && times_out {
                Waited::TimedOut
            } else {
                Waited::Answered
            }
        };
        let waited = tokio::select! {
            biased;
            () = simulation.ended(machine) => Waited::Ended,
            waited = answer => waited,
        };
        if simulation.is_running(machine) {
            waited
        } else {
            Waited::Ended
        }
    }
}
