#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn set(&mut self, #[get] value: i64) {
        self.value = value;
    }
}

fn main() {}
