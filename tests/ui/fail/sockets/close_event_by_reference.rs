#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Room {
    members: u64,
}

#[durable_object]
impl Room {
    #[websocket("/ws")]
    fn join(&mut self) -> Accept<String> {
        Accept::new(String::new())
    }

    #[close]
    fn left(&mut self, event: &CloseEvent) {}
}

fn main() {}
