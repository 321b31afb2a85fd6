#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[init]
    #[alarm]
    fn start(&mut self) {}
}

fn main() {}
