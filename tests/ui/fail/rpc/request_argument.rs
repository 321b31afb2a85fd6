#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[rpc]
    #[post("/upload")]
    fn upload(&mut self, request: Request) {}
}

fn main() {}
