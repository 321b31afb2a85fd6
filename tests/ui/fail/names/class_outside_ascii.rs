#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Zähler {
    value: i64,
}

#[durable_object]
impl Zähler {
    #[rpc]
    fn value(&self) -> i64 {
        self.value
    }
}

fn main() {}
