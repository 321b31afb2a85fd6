#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[get("/items")]
    fn find(&self, pattern: &[u8]) -> i64 {
        self.value
    }
}

fn main() {}
