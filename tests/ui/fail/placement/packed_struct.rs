#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
#[repr(C, packed(2))]
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

fn main() {}
