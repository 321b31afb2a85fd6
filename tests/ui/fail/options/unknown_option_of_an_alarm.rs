#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[alarm(evry = "60s")]
    fn sweep(&mut self) {}
}

fn main() {}
