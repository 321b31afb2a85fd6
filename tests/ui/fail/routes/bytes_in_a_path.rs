#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[put("/raw/{bytes}")]
    fn raw(&mut self, bytes: &[u8]) {}
}

fn main() {}
