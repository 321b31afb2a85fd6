#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[message(txt)]
    fn received(&mut self, message: &str) {}
}

fn main() {}
