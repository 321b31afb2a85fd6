#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    #[rpc]
    value: i64,
}

#[durable_object]
impl Counter {
    #[get("/")]
    fn value(&self) -> i64 {
        self.value
    }
}

fn main() {}
