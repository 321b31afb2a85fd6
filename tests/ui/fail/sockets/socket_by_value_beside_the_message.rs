#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Room {}

#[durable_object]
impl Room {
    #[websocket("/ws")]
    fn join(&self) -> Accept<u64> {
        Accept::new(5)
    }

    #[message]
    fn said(&mut self, socket: Socket<u64>, number: i64) {}
}

fn main() {}
