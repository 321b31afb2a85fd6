#![allow(unused)]

use anchorhold::prelude::*;

use std::future::Future;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn value(&self) -> impl Future<Output = i64> {
        let value = self.value;
        async move { value }
    }
}

fn main() {}
