#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[websocket("/live")]
    #[rpc]
    fn join(&self) -> Accept<String> {
        Accept::new(String::new())
    }
}

fn main() {}
