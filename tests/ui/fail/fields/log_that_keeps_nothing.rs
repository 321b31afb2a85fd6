#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    recent: StoredLog<String, 0>,
}

#[durable_object]
impl Counter {}

fn main() {}
