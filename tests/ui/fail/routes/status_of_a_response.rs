#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[post("/", status = 201)]
    fn create(&mut self) -> Response {
        Response::text(200, "made")
    }
}

fn main() {}
