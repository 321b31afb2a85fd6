#![allow(unused)]

use anchorhold::prelude::*;

struct Report {
    text: String,
}

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[get("/report")]
    fn report(&self) -> Report {
        Report { text: String::new() }
    }
}

fn main() {}
