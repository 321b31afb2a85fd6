#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[get("/report")]
    fn report(&self) -> Result<String, std::fmt::Error> {
        Ok(String::new())
    }
}

fn main() {}
