#![allow(unused)]

use anchorhold::prelude::*;

struct Report;

type Answer<T> = Result<T, Error>;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn report(&mut self) -> Answer<Report> {
        Ok(Report)
    }
}

fn main() {}
