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
        todo!()
    }

    #[message(text)]
    fn received(&mut self, text: &str) -> String {
        text.to_owned()
    }
}

fn main() {}
