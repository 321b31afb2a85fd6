#![allow(unused)]

use anchorhold::prelude::*;

struct Report;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn keep(&mut self, reports: Vec<Report>) {}
}

fn main() {}
