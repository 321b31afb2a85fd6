#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[init]
    fn first(&mut self) {}

    #[init]
    fn second(&mut self) {}
}

fn main() {}
