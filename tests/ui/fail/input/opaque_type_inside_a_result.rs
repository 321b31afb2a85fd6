#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn names(&self) -> Result<impl Iterator<Item = i64>, Error> {
        Ok(0..self.value)
    }
}

fn main() {}
