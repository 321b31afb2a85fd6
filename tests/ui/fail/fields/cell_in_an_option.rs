#![allow(unused)]

use anchorhold::prelude::*;

use std::cell::Cell;

#[durable_object]
struct Counter {
    hits: Option<Cell<u64>>,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn touch(&mut self) {}
}

fn main() {}
