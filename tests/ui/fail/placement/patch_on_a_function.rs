#![allow(unused)]

use anchorhold::prelude::*;

#[patch("/")]
fn value() -> i64 {
    5
}

fn main() {}
