#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[post("/items")]
    fn add(&mut self, #[body] ctx: &Ctx) {}
}

fn main() {}
