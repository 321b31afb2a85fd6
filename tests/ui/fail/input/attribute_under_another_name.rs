#![allow(unused)]

use anchorhold::prelude::*;

use anchorhold::prelude::get as route_get;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[route_get("/")]
    fn value(&self) -> i64 {
        self.value
    }
}

fn main() {}
