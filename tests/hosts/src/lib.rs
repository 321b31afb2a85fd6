//! An app on a host, from a test's point of view: a process to start, kill and stop, requests and
//! sockets.

mod application;
mod caller;
mod client;
mod connection;
mod host;
mod load;
mod patience;
mod random;
mod raw;
mod unanswered;

pub use application::Application;
pub use caller::Caller;
pub use client::{Answer, Client};
pub use connection::{Connection, Received, Refused};
pub use host::{Host, Kind, Stopped};
pub use load::{is_full_load, load, megabytes, raise_open_files};
pub use patience::eventually;
pub use random::Random;
pub use raw::Raw;
pub use rustix::process::Signal;
pub use unanswered::Unanswered;

/// Returns the demo. `embedded` is the path of this package's `embedded-demo` binary, which only
/// its own tests know.
#[must_use]
pub fn demo(embedded: &str) -> Application {
    Application::new(
        embedded,
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/demo"),
    )
}

/// Returns the conformance app. On the embedded host it also has the demo's objects. `embedded` is
/// the path of this package's `embedded-trouble` binary.
#[must_use]
pub fn trouble(embedded: &str) -> Application {
    Application::new(
        embedded,
        concat!(env!("CARGO_MANIFEST_DIR"), "/../conformance"),
    )
}
