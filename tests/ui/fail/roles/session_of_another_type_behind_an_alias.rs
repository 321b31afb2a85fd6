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

type Answer<T> = Result<T, Error>;
type Peer = Socket<Other>;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[websocket("/live")]
    fn join(&self, user: String) -> Answer<Accept<Session>> {
        Ok(Accept::new(Session { user }))
    }

    #[close]
    fn left(&mut self, socket: &Peer) {}
}

fn main() {}
