#![allow(unused)]

use anchorhold::prelude::*;

trait Has {
    type Out;
}

impl Has for u8 {
    type Out = std::sync::atomic::AtomicU64;
}

#[durable_object]
struct Counter {
    hits: Vec<<u8 as Has>::Out>,
}

#[durable_object]
impl Counter {}

fn main() {}
