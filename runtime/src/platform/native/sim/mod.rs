//! The test kit: a simulated host in one thread, without network and with virtual time.

mod carry;
mod digest;
mod disk;
mod disk_state;
mod exhaustive;
mod faults;
mod host;
mod inside;
mod investigation;
mod labels;
mod limits;
mod panics;
mod pending_run;
mod pipe;
mod queue;
mod quiet;
mod report;
mod rest;
mod run;
mod runs;
mod simulation;
mod socket;
mod sweep;
mod trace;
mod under_way;

pub(super) use carry::carry;
pub(super) use disk::{MemoryDisk, Unsynced};
pub use faults::{FaultKind, Faults};
pub use host::Sim;
pub(super) use labels::label_of_work;
pub use pending_run::PendingRun;
pub(super) use pipe::{Link, Pipe};
pub use runs::{Runs, report_test, run_test};
pub(super) use simulation::{Ending, Simulation};
pub use socket::SimSocket;
pub(super) use under_way::Entry;
