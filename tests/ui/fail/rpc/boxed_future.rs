#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn value(&self) -> std::pin::Pin<Box<dyn Future<Output = i64>>> {
        Box::pin(async { 5 })
    }
}

fn main() {}
