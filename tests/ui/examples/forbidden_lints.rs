//! Generated code does not allow lints that the crate forbids, and is not linted. `dead_code` is
//! only denied: for Workers, `wasm-bindgen` allows it on each function that it exports.
#![forbid(
    deprecated,
    missing_docs,
    nonstandard_style,
    unsafe_code,
    unused_imports,
    unused_qualifications,
    unused_variables,
    unreachable_pub,
    clippy::all,
    clippy::future_not_send,
    clippy::pedantic
)]
#![deny(dead_code, clippy::nursery)]
#![allow(clippy::missing_const_for_fn, reason = "of the handlers themselves")]

use anchorhold::prelude::*;

/// A counter.
#[durable_object]
pub struct Counter {
    value: i64,
    #[stored(default = 5)]
    limit: i64,
    #[memory]
    reads: u64,
}

#[durable_object]
impl Counter {
    #[rpc]
    #[get("/")]
    fn value(&self) -> Result<i64, Error> {
        if self.reads > 0 {
            return Err(Error::conflict("read", "it was read before"));
        }
        Ok(self.value.min(self.limit))
    }

    #[alarm]
    fn sweep(&mut self, amount: i64) {
        self.value -= amount;
    }
}

#[anchorhold::app]
fn app() -> App {
    App::new().mount::<Counter>("/counters/{name}")
}

fn main() {
    let _ = app();
}
