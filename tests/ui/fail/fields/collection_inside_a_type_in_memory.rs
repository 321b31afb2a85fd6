#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    #[memory]
    votes: Option<StoredMap<String, i32>>,
}

#[durable_object]
impl Counter {}

fn main() {}
