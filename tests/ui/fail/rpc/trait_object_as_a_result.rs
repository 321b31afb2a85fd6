#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn shape(&self) -> dyn std::fmt::Debug {
        &1
    }
}

fn main() {}
