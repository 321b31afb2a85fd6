#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[post("/", status = 304)]
    fn create(&mut self) -> Result<i64, Error> {
        Ok(self.value)
    }
}

fn main() {}
