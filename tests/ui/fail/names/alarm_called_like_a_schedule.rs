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

    #[alarm]
    fn cancel_remind(&mut self) {}
}

fn main() {}
