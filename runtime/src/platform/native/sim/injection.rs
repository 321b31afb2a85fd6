//! Injects faults: those of a seed, those of one step, and those of the disk.

use std::collections::BTreeSet;

use super::disk_state::DiskState;
use super::faults::{FaultKind, Faults};
use super::host::Sim;
use super::simulation::{Injected, Simulation};

impl Sim {
    /// Injects these faults from now on.
    pub fn set_faults(&self, faults: Faults) {
        if let Some(simulation) = self.0.shard.simulation() {
            simulation.set_faults(self.0.shard.now(), faults);
            self.0.shard.limit_kernel();
        }
    }

    /// Injects a fault at this step of the run, if it can happen there. See [`steps`](Self::steps).
    pub fn inject_at(&self, step: u64, kind: FaultKind) {
        if let Some(simulation) = self.0.shard.simulation() {
            simulation.inject_at(step, kind);
        }
    }

    /// Returns how many points the run has passed where a fault could happen. The same seed and the
    /// same test have the same points, up to the first fault.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.0.shard.simulation().map_or(0, Simulation::steps)
    }

    /// Fills the disk until [`free_disk`](Self::free_disk). Writes, commits and changes of the
    /// index of alarms fail, and some databases cannot be opened. Objects in memory can be read.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// # async fn example<Counter: DurableObject>(sim: Sim) {
    /// let counter = sim.objects::<Counter>().named("a");
    /// sim.fill_disk();
    /// // … calls that write fail now, then:
    /// sim.free_disk();
    /// # }
    /// ```
    pub fn fill_disk(&self) {
        self.tell("sim.fill_disk");
        self.with_disk(|disk| disk.fill(None));
    }

    /// Frees the disk, so that writes succeed again.
    pub fn free_disk(&self) {
        self.tell("sim.free_disk");
        self.with_disk(DiskState::free);
    }

    /// Makes every sync fail until [`restore_syncs`](Self::restore_syncs). The seed decides what a
    /// commit whose sync failed leaves on the disk.
    pub fn fail_syncs(&self) {
        self.tell("sim.fail_syncs");
        self.with_disk(DiskState::fail_syncs);
    }

    /// Makes every sync hang until [`restore_syncs`](Self::restore_syncs). An object that waits for
    /// longer than 30 s is reset. No database is opened or closed. Events for an object that needs
    /// one wait for up to 30 s.
    pub fn hang_syncs(&self) {
        self.tell("sim.hang_syncs");
        self.with_disk(DiskState::hang_syncs);
    }

    /// Lets syncs return and succeed again.
    pub fn restore_syncs(&self) {
        self.tell("sim.restore_syncs");
        self.with_disk(DiskState::restore_syncs);
    }

    fn with_disk(&self, act: impl FnOnce(&DiskState)) {
        if let Some(simulation) = self.0.shard.simulation() {
            act(&simulation.disk);
        }
    }

    /// Stops injecting faults, and ends those that last. A full disk has room, and a hanging one
    /// responds. Both ends of a cut connection notice. A bad deployment is rolled back. An
    /// exhaustive test ends the process at no later step.
    pub async fn heal(&self) {
        self.tell("sim.heal");
        self.end_faults().await;
    }

    pub(super) async fn end_faults(&self) {
        if let Some(simulation) = self.0.shard.simulation() {
            simulation.heal();
        }
        self.0.shard.limit_kernel();
        self.0.shard.roll_back();
        self.settle().await;
    }

    /// Makes later power failures lose all that was not synced.
    pub(super) fn keep_nothing_unsynced(&self) {
        if let Some(simulation) = self.0.shard.simulation() {
            simulation.keep_nothing_unsynced();
        }
    }

    /// Stops other kinds of faults.
    pub(super) fn inject_only(&self, kinds: &BTreeSet<FaultKind>) {
        if let Some(simulation) = self.0.shard.simulation() {
            simulation.inject_only(kinds.clone());
        }
    }

    /// Returns the steps so far at which the process could have ended.
    pub(super) fn endings(&self) -> Vec<u64> {
        let simulation = self.0.shard.simulation();
        simulation.map(Simulation::endings).unwrap_or_default()
    }

    pub(in super::super) fn injected(&self) -> Vec<Injected> {
        self.0
            .shard
            .simulation()
            .map(Simulation::injected)
            .unwrap_or_default()
    }
}
