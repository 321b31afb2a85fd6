#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    votes: StoredMap<String, std::time::Instant>,
}

#[durable_object]
impl Counter {}

fn main() {}
