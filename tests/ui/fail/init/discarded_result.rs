#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[init]
    fn start(&mut self) -> i64 {
        self.value
    }
}

fn main() {}
