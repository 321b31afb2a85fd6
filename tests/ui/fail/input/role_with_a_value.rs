#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[rpc = "add"]
    fn increment(&mut self, by: i64) {}
}

fn main() {}
