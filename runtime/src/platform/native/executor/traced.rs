//! What a shard writes into the trace of its simulation, beside what its kernel decides.

use super::super::sim::{PendingRun, Simulation};
use super::slot::Life;
use super::{Effect, Shard};
use crate::http::Request;

impl Shard {
    /// Writes down what the kernel has decided.
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

    /// A request goes to the outside world.
    pub(in super::super) fn trace_request(&self, request: &Request) {
        if let Some(simulation) = &self.simulation {
            simulation.trace.note_request(self.now(), request);
        }
    }

    /// The runs for which an object's alarm starts.
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

    /// What the test itself does to the host.
    pub(in super::super) fn trace_test(&self, action: &str) {
        if let Some(simulation) = &self.simulation {
            simulation.trace.note_test(self.now(), action);
        }
    }

    /// The number of the next call or request to an object; zero on a host, which counts none.
    pub(in super::super) fn next_call(&self) -> u32 {
        self.simulation.as_ref().map_or(0, Simulation::next_call)
    }
}
