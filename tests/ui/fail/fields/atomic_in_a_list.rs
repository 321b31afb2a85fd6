#![allow(unused)]

use anchorhold::prelude::*;

use std::sync::atomic::AtomicU64;

#[durable_object]
struct Counter {
    hits: Vec<AtomicU64>,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn touch(&mut self) {}
}

fn main() {}
