//! The amount of load that tests make.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Returns the size of a test: small in the suite, full with `ANCHORHOLD_FULL_LOAD=1`.
#[must_use]
pub fn load(suite: usize, full: usize) -> usize {
    if is_full_load() { full } else { suite }
}

/// Whether `ANCHORHOLD_FULL_LOAD` is set.
#[must_use]
pub fn is_full_load() -> bool {
    std::env::var_os("ANCHORHOLD_FULL_LOAD").is_some_and(|value| value != "0")
}

/// Raises this process's limit of open files to what the system allows, and returns it.
#[must_use]
pub fn raise_open_files() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let limit = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    limit.map_or(usize::MAX, |limit| {
        usize::try_from(limit).unwrap_or(usize::MAX)
    })
}

/// Converts bytes to megabytes, for messages.
#[must_use]
pub fn megabytes(bytes: u64) -> u64 {
    bytes / 1_000_000
}
