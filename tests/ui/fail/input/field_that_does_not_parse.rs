#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    #[memory]
    reads: u64,
    value i64,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn value(&self) -> i64 {
        self.value
    }
}

fn main() {}
