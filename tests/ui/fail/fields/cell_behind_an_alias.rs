#![allow(unused)]

use anchorhold::prelude::*;

type Hits = std::cell::Cell<u64>;

#[durable_object]
struct Counter {
    hits: Hits,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn touch(&mut self) {}
}

fn main() {}
