//! A condition below the attribute, and inner attributes.
#![deny(warnings)]

use anchorhold::prelude::*;

#[durable_object]
#[cfg(windows)]
struct Absent {
    value: i64,
}

#[durable_object]
#[cfg(windows)]
impl Absent {
    #[rpc]
    fn value(&self) -> i64 {
        self.value
    }

    #[alarm]
    fn sweep(&mut self) {}
}

#[durable_object]
#[cfg(not(windows))]
struct Counter {
    value: i64,
}

#[durable_object]
#[cfg(not(windows))]
impl Counter {
    //! The handlers.
    #![allow(clippy::unused_self)]

    #[rpc]
    fn value(&self) -> i64 {
        self.value
    }
}

fn main() {}
