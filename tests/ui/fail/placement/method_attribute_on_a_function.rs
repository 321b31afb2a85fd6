#![allow(unused)]

use anchorhold::prelude::*;

#[get("/")]
fn value() -> i64 {
    5
}

fn main() {}
