#![allow(unused)]

use anchorhold::prelude::*;

struct Report {
    text: String,
}

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

    #[message]
    fn received(&mut self, report: Report) {}
}

fn main() {}
