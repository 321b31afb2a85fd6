#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[get("/at/{point}")]
    fn at(&self, point: [i32; 2]) -> i64 {
        self.value
    }
}

fn main() {}
