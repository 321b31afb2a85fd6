#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[alarm(cron = "0 0 30 2 *")]
    fn sweep(&mut self) {}
}

fn main() {}
