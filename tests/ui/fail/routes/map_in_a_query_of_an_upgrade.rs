#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[websocket("/live")]
    fn join(&self, tags: std::collections::HashMap<String, u8>) -> Accept<String> {
        Accept::new(String::new())
    }
}

fn main() {}
