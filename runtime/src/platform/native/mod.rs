//! Native hosts: the embedded host and the simulator, around one kernel.
//!
//! `kernel` decides, without I/O. `shard` carries out its decisions on one thread. `disk` and
//! `store` keep what is written. `server`, `transport` and `outgoing` handle the network. `host`
//! runs shards in a process, `sim` runs one in a test.

mod accept;
mod admission;
mod answers;
mod assets;
mod bodies;
mod budget;
mod clock;
mod closing;
mod connection;
mod disk;
mod frame;
mod frames;
mod handshake;
mod host;
mod idle;
mod ids;
mod jobs;
mod kernel;
mod outgoing;
mod peer;
mod random;
mod raw_response;
mod remote;
mod request;
mod requests;
mod server;
mod shard;
mod sim;
mod slot;
mod socket;
mod state;
mod store;
#[cfg(test)]
mod tests;
mod transport;
mod upgrade;
mod waiting;
mod work;

pub use host::serve;
pub(crate) use raw_response::RawResponse;
pub(crate) use remote::{Env, Namespace, Remote};
pub(crate) use request::Request;
pub use sim::{FaultKind, Faults, PendingRun, Runs, Sim, SimSocket, report_test, run_test};
pub(crate) use socket::Socket;
pub(crate) use state::ObjectState;
pub(crate) use upgrade::Upgrade;
