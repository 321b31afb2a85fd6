#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object(class = "Tally")]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {}

fn main() {}
