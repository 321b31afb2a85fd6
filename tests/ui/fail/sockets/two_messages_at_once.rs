#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[message]
    fn received(&mut self, user: String, text: String) {}
}

fn main() {}
