#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[alarm(every = "36501d")]
    fn sweep(&mut self) {}
}

fn main() {}
