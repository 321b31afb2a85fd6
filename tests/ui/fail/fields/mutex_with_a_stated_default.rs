#![allow(unused)]

use anchorhold::prelude::*;

use std::sync::Mutex;

#[durable_object]
struct Counter {
    #[stored(default = Mutex::new(5))]
    hits: Mutex<u64>,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn touch(&mut self) {}
}

fn main() {}
