#![allow(unused)]

use anchorhold::prelude::*;

type Hits = std::sync::atomic::AtomicU64;

#[durable_object]
struct Counter {
    hits: Box<Hits>,
}

#[durable_object]
impl Counter {}

fn main() {}
