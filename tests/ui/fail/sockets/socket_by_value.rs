#![allow(unused)]

use anchorhold::prelude::*;

#[derive(serde::Serialize, serde::Deserialize)]
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

    #[close]
    fn gone(&mut self, socket: Socket<Session>) {}
}

fn main() {}
