#![allow(unused)]

use anchorhold::prelude::*;

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Statistics {
    hits: std::cell::Cell<u64>,
}

#[durable_object]
struct Counter {
    statistics: Statistics,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn touch(&mut self) {}
}

fn main() {}
