#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    votes: StoredMap<(String, u32), i32>,
}

#[durable_object]
impl Counter {}

fn main() {}
