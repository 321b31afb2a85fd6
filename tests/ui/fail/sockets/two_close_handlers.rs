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
    #[close]
    fn gone(&mut self, _socket: &Socket<Session>) {}

    #[close]
    fn left(&mut self, _socket: &Socket<Session>) {}
}

fn main() {}
