#![allow(unused)]

use anchorhold::prelude::*;

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
    fn received(&mut self, bytes: Vec<i8>) {}
}

fn main() {}
