#![allow(unused)]

use anchorhold::prelude::*;

type Tags = Vec<String>;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[get("/tagged")]
    fn tagged(&self, tags: Option<Tags>) -> i64 {
        self.value
    }
}

fn main() {}
