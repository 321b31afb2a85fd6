#![allow(unused)]

use anchorhold::prelude::*;

type Run = AlarmRun;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[alarm]
    fn sweep(&mut self, run: Run) {}
}

fn main() {}
