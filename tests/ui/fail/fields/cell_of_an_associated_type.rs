#![allow(unused)]

use anchorhold::prelude::*;

trait Has {
    type Out;
}

impl Has for u8 {
    type Out = std::cell::Cell<u64>;
}

#[durable_object]
struct Counter {
    hits: <u8 as Has>::Out,
}

#[durable_object]
impl Counter {}

fn main() {}
