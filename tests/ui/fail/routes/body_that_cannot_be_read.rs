#![allow(unused)]

use anchorhold::prelude::*;

struct Report {
    text: String,
}

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[post("/reports")]
    fn add(&mut self, #[body] report: Report) {}
}

fn main() {}
