#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[init]
    fn start(&mut self, name: String) {}
}

fn main() {}
