#![allow(unused)]

use anchorhold::prelude::*;

struct Counter;

#[anchorhold::app]
fn app() -> App {
    App::new().mount::<Counter>("/counters/{name}")
}

fn main() {}
