#![allow(unused)]

use anchorhold::prelude::*;

#[put("/")]
fn value() -> i64 {
    5
}

fn main() {}
