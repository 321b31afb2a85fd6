#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[get("/items/{id}")]
    fn first(&self, id: u32) {}

    #[get("/items/{name}")]
    fn second(&self, name: String) {}
}

fn main() {}
