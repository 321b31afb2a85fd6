#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {}

#[anchorhold::app]
fn app<T: DurableObject>() -> App {
    App::new().mount::<T>("/counters/{name}")
}

fn main() {}
