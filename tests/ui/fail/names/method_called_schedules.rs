#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[alarm]
    fn remind(&mut self) {}

    fn schedules(&self) -> Vec<String> {
        Vec::new()
    }
}

fn main() {}
