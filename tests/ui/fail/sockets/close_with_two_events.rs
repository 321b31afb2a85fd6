#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[websocket("/ws")]
    fn join(&self) -> Accept<u64> {
        Accept::new(5)
    }

    #[close]
    fn left(&mut self, event: CloseEvent, code: CloseEvent) {}
}

fn main() {}
