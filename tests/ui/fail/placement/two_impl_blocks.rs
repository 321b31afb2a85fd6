#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn value(&self) -> i64 {
        self.value
    }
}

#[durable_object]
impl Counter {
    #[rpc]
    fn reset(&mut self) {
        self.value = 0;
    }
}

fn main() {}
