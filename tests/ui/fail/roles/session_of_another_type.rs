#![allow(unused)]

use anchorhold::prelude::*;

#[derive(serde::Serialize, serde::Deserialize)]
struct Session {
    user: String,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Other {
    room: u64,
}

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[websocket("/live")]
    fn join(&self, user: String) -> Accept<Session> {
        Accept::new(Session { user })
    }

    #[message(text)]
    fn said(&mut self, socket: &Socket<Other>, text: &str) {}
}

fn main() {}
