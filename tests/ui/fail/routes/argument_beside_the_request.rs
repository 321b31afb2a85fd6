#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[post("/items/{id}")]
    fn add(&mut self, id: u32, request: Request, author: String) {}
}

fn main() {}
