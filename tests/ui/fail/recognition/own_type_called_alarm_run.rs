#![allow(unused)]

use anchorhold::prelude::*;

#[derive(serde::Serialize, serde::Deserialize)]
struct AlarmRun {
    distance: u64,
}

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[alarm]
    fn sweep(&mut self, run: AlarmRun) {}
}

fn main() {}
