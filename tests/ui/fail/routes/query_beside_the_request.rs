#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[get("/")]
    fn page(&self, request: Request, theme: String) -> i64 {
        self.value
    }
}

fn main() {}
