#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[get("/")]
    fn value(&self) -> i64 {
        self.value
    }
}

#[anchorhold::app(crate = nonexistent)]
fn app() -> App {
    App::new().mount::<Counter>("/counters/{name}")
}

fn main() {}
