#![allow(unused)]

use anchorhold::prelude::*;

macro_rules! hits {
    () => {
        std::cell::Cell<u64>
    };
}

#[durable_object]
struct Counter {
    hits: hits!(),
}

#[durable_object]
impl Counter {}

fn main() {}
