#![allow(unused)]

use anchorhold::prelude::*;

type Answer<T> = Result<T, Error>;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[post("/", status = 201)]
    fn create(&mut self) -> Answer<Response> {
        Ok(Response::text(200, "made"))
    }
}

fn main() {}
