#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object(migrations = ["CREATE TABLE entry (text TEXT)", " "])]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {}

fn main() {}
