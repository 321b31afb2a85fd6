#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[init]
    fn new(ctx: &Ctx) -> Self {
        Self { value: 1 }
    }
}

fn main() {}
