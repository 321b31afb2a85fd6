#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Promise {
    value: i64,
}

#[durable_object]
impl Promise {
    #[rpc]
    fn value(&self) -> i64 {
        self.value
    }
}

fn main() {}
