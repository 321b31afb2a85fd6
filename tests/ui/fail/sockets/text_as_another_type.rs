#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[websocket("/live")]
    fn join(&self) -> Accept<i64> {
        todo!()
    }

    #[message(text)]
    fn received(&mut self, text: Vec<u8>) {}
}

fn main() {}
