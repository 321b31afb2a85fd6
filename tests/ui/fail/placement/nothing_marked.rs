#![allow(unused)]

use anchorhold::prelude::*;

struct Counter {
    value: i64,
}

impl Counter {
    #[rpc]
    #[get("/")]
    fn value(&self) -> i64 {
        self.value
    }
}

fn main() {}
