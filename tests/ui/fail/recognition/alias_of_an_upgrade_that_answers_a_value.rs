#![allow(unused)]

use anchorhold::prelude::*;

type Joined = String;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[websocket("/live")]
    fn join(&self) -> Joined {
        String::new()
    }
}

fn main() {}
