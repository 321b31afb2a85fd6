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
    #[websocket("/live", status = 200)]
    fn join(&self, user: String) -> Accept<Session> {
        Accept::new(Session { user })
    }
}

fn main() {}
