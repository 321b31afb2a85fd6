#![allow(unused)]

use anchorhold::prelude::*;

#[post("/")]
fn value() -> i64 {
    5
}

fn main() {}
