#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    #[stored(key = "v")]
    #[stored(default = 1)]
    value: i64,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn touch(&mut self) {}
}

fn main() {}
