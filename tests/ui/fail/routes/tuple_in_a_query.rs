#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[get("/search")]
    fn search(&self, at: (i32, i32)) -> i64 {
        self.value
    }
}

fn main() {}
