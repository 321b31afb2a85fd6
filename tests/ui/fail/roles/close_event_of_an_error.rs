#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[websocket("/live")]
    fn join(&self) -> Accept<String> {
        Accept::new(String::new())
    }

    #[close]
    #[error]
    fn ended(&mut self, event: CloseEvent) {}
}

fn main() {}
