#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter(i64);

#[durable_object]
impl Counter {
    #[rpc]
    fn value(&self) -> i64 {
        self.0
    }
}

fn main() {}
