#![allow(unused)]

use anchorhold::prelude::*;

type Answer<T> = Result<T, Error>;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[websocket("/live")]
    fn join(&self) -> Answer<String> {
        Ok(String::new())
    }
}

fn main() {}
