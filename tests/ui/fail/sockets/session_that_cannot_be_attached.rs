#![allow(unused)]

use anchorhold::prelude::*;

struct Session {
    user: String,
}

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[websocket("/live")]
    fn join(&self) -> Accept<Session> {
        todo!()
    }

    #[message(text)]
    fn received(&mut self, socket: &Socket<Session>, text: &str) {}

    #[close]
    fn gone(&mut self, socket: &Socket<Session>) {}
}

fn main() {}
