#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[alarm(every = "60s")]
    fn sweep(&mut self, name: String) {}
}

fn main() {}
