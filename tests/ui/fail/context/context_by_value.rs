#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn increment(&mut self, ctx: Ctx, by: i64) {}
}

fn main() {}
