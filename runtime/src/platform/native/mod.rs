//! Native hosts: the embedded host and the simulator, around one kernel.
//!
//! - [`seam`] has the types that the engine calls.
//! - [`kernel`] decides, without I/O. [`executor`] carries out its decisions on one thread, the
//!   shard. [`store`] keeps what is written.
//! - [`network`] handles HTTP, WebSockets and requests to the outside.
//! - [`host`] runs shards in a process. [`sim`] runs one in a test.
//! - [`clock`] and [`random`] ask the system on the host. They are virtual in the simulator. [`ids`]
//!   makes identifiers.

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
pub(crate) use seam::incoming::{Incoming, sleep};
pub(crate) use seam::raw_response::RawResponse;
pub(crate) use seam::remote::{Env, Namespace, Remote};
pub(crate) use seam::request::{MAX_BODY, Request};
pub(crate) use seam::socket::Socket;
pub(crate) use seam::state::ObjectState;
pub(crate) use seam::upgrade::Upgrade;
pub use sim::{FaultKind, Faults, PendingRun, Runs, Sim, SimSocket, report_test, run_test};
