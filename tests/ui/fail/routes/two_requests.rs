#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[post("/")]
    fn upload(&mut self, first: Request, second: Request) {}
}

fn main() {}
