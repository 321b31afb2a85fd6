#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[alarm]
    fn remind(&mut self, run: AlarmRun, again: AlarmRun) {}
}

fn main() {}
