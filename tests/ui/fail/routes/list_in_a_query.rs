#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[get("/search")]
    fn search(&self, tags: Vec<String>) -> i64 {
        self.value
    }
}

fn main() {}
