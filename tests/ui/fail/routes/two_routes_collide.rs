#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[get("/items")]
    fn first(&self) {}

    #[get("/items")]
    fn second(&self) {}
}

fn main() {}
