#![allow(unused)]

use anchorhold::prelude::*;

type Name = str;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn rename(&mut self, name: &Name) {}
}

fn main() {}
