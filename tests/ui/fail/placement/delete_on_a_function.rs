#![allow(unused)]

use anchorhold::prelude::*;

#[delete("/")]
fn value() -> i64 {
    5
}

fn main() {}
