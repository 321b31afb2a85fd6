#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
    #[cfg_attr(all(), cfg(windows))]
    width: i64,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn value(&self) -> i64 {
        self.value
    }
}

fn main() {}
