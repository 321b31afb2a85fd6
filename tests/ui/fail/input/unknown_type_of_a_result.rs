#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[rpc]
    #[get("/")]
    fn sum(&self) -> Amount {
        todo!()
    }
}

fn main() {}
