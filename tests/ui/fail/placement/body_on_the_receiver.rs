#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[post("/")]
    fn replace(#[body] &mut self) {}
}

fn main() {}
