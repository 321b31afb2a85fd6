#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    #[memory]
    #[memory]
    reads: u64,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn touch(&mut self) {}
}

fn main() {}
