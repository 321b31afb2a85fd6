#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object(class = "my-counter")]
impl Counter {
    #[rpc]
    fn touch(&mut self) {}
}

fn main() {}
