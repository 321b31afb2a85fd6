#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {}

#[anchorhold::app]
fn app(env: Env) -> App {
    App::new().mount::<Counter>("/counters/{name}")
}

fn main() {}
