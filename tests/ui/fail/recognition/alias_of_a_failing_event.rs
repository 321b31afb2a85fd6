#![allow(unused)]

use anchorhold::prelude::*;

type Answer<T> = Result<T, Error>;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[alarm]
    fn sweep(&mut self) -> Answer<i64> {
        Ok(self.value)
    }
}

fn main() {}
