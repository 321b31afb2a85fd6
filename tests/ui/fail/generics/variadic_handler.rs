#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn sum(&self, numbers: ...) -> i64 {
        self.value
    }
}

fn main() {}
