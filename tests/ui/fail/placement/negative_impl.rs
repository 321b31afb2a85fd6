#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl !Send for Counter {}

#[durable_object]
impl Counter {}

fn main() {}
