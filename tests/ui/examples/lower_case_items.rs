//! A pattern that names a unit struct, a constant or a static is not a binding.
#![deny(warnings)]
#![allow(dead_code, non_camel_case_types, non_upper_case_globals)]

use anchorhold::prelude::*;

struct object;
const ctx: u8 = 0;
static call: u8 = 0;
const argument_0: u8 = 0;
const arguments: u8 = 0;
const fields: u8 = 0;
const core: u8 = 0;
const key: u8 = 0;
const payload: u8 = 0;

#[durable_object]
pub struct Counter {
    value: i64,
    #[stored(default = 5)]
    limit: i64,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn add(&mut self, by: i64) {
        self.value = self.limit.min(self.value + by);
    }

    #[rpc]
    async fn later(&self, by: i64) -> i64 {
        self.value + by
    }

    #[alarm]
    fn sweep(&mut self, amount: i64) {
        self.value -= amount;
    }
}

fn main() {}
