#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn rename<'a>(&'a mut self, name: &'a str) {}
}

fn main() {}
