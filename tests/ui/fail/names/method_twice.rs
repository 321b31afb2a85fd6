#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn value(&self, scale: i64) -> i64 {
        self.value
    }

    #[rpc]
    fn value(&self, scale: i64) -> i64 {
        self.value * scale
    }
}

fn main() {}
