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
        todo!()
    }

    #[close]
    fn gone(&mut self, socket: &Socket) {}
}

fn main() {}
