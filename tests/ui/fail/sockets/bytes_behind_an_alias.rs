#![allow(unused)]

use anchorhold::prelude::*;

type Bytes = Box<[u8]>;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[websocket("/live")]
    fn join(&self) -> Accept<String> {
        Accept::new(String::new())
    }

    #[message(binary)]
    fn received(&mut self, bytes: Bytes) {}
}

fn main() {}
