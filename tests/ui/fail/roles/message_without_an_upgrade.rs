#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[message(text)]
    fn said(&mut self, text: &str) {}
}

fn main() {}
