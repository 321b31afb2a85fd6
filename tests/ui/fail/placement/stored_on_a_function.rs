#![allow(unused)]

use anchorhold::prelude::*;

#[stored(key = "v")]
fn value() -> i64 {
    5
}

fn main() {}
