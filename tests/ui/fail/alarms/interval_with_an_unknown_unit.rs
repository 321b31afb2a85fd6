#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[alarm(every = "2 weeks")]
    fn sweep(&mut self) {}
}

fn main() {}
