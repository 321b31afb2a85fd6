#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

type C = Counter;

#[durable_object]
impl C {
    #[rpc]
    fn value(&self) -> i64 {
        self.value
    }
}

fn main() {}
