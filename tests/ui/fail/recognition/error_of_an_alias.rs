#![allow(unused)]

use anchorhold::prelude::*;

struct Refused;

type Answer<T> = Result<T, Refused>;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn reset(&mut self) -> Answer<()> {
        Ok(())
    }
}

fn main() {}
