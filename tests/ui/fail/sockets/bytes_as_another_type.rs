#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[message(binary)]
    fn received(&mut self, bytes: &str) {}
}

fn main() {}
