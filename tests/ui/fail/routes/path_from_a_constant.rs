#![allow(unused)]

use anchorhold::prelude::*;

const ITEMS: &str = "/items";

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[get(ITEMS)]
    fn items(&self) -> i64 {
        self.value
    }
}

fn main() {}
