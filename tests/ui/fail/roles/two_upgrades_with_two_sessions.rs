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

    #[websocket("/other")]
    fn join_other(&self, room: u64) -> Accept<Other> {
        Accept::new(Other { room })
    }

    #[message(text)]
    fn said(&mut self, socket: &Socket<Session>, text: &str) {}
}

fn main() {}
