#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[websocket("/a")]
    fn first(&self) -> Accept<i64> {
        todo!()
    }

    #[websocket("/b")]
    fn second(&self) -> Result<Accept<String>, Error> {
        todo!()
    }
}

fn main() {}
