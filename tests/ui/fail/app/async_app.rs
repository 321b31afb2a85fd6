#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {}

#[anchorhold::app]
async fn app() -> App {
    App::new().mount::<Counter>("/counters/{name}")
}

fn main() {}
