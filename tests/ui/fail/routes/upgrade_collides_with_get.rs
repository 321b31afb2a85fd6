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
    #[get("/live")]
    fn page(&self) -> i64 {
        self.value
    }

    #[websocket("/live")]
    fn join(&self) -> Accept<Session> {
        Accept::new(Session { user: String::new() })
    }
}

fn main() {}
