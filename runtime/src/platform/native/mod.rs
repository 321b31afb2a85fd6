//! Native hosts: the embedded host and the simulator, around one kernel.
//!
//! `kernel` decides, without I/O. `shard` carries out its decisions on one thread. `disk` and
//! `store` keep what is written. `server`, `transport` and `outgoing` handle the network. `host`
//! runs shards in a process, `sim` runs one in a test.

mod clock;
mod executor;
mod host;
mod ids;
mod kernel;
mod network;
mod random;
mod seam;
mod sim;
mod store;
#[cfg(test)]
mod tests;

pub use host::serve;
pub(crate) use seam::raw_response::RawResponse;
pub(crate) use seam::remote::{Env, Namespace, Remote};
pub(crate) use seam::request::Request;
pub(crate) use seam::socket::Socket;
pub(crate) use seam::state::ObjectState;
pub(crate) use seam::upgrade::Upgrade;
pub use sim::{FaultKind, Faults, PendingRun, Runs, Sim, SimSocket, report_test, run_test};
