//! What a shard writes to the trace of its simulation, besides its kernel's decisions.

use super::super::sim::{PendingRun, Simulation};
use super::slot::Life;
use super::{Effect, Shard};
use crate::http::Request;

impl Shard {
    /// Records a decision of the kernel.
    pub(super) fn trace(&self, effect: &Effect) {
        if let Some(simulation) = &self.simulation {
            let slot_at = |object| self.slot_at(object);
            simulation.trace.note(self.now(), effect, slot_at);
        }
    }

    /// Adds to the values behind the last event.
    pub(super) fn trace_values(&self, values: u64) {
        if let Some(simulation) = &self.simulation {
            simulation.trace.add_values(values);
        }
    }

    /// Records a request to the outside world.
    pub(in super::super) fn trace_request(&self, request: &Request) {
        if let Some(simulation) = &self.simulation {
            simulation.trace.note_request(self.now(), request);
        }
    }

    /// Records the runs for which an object's alarm starts.
    pub(super) fn trace_due_runs(&self, life: &Life) {
        let Some(simulation) = &self.simulation else {
            return;
        };
        let now = self.now();
        let runs = match life.stored() {
            Ok(Some(database)) => PendingRun::all_in(&database).unwrap_or_default(),
            Ok(None) | Err(_) => Vec::new(),
        };
        let due = runs.iter().filter(|run| run.due.as_millis() <= now.wall);
        simulation.trace.note_due_runs(now, &life.slot, due);
    }

    /// Records what the test itself does to the host.
    pub(in super::super) fn trace_test(&self, action: &str) {
        if let Some(simulation) = &self.simulation {
            simulation.trace.note_test(self.now(), action);
        }
    }

    /// Returns the number of the next call or request to an object. Always zero on a host, which
    /// does not count them.
    pub(in super::super) fn next_call(&self) -> u32 {
        self.simulation.as_ref().map_or(0, Simulation::next_call)
    }
}
