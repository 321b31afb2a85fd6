#![allow(unused)]

use anchorhold::prelude::*;

#[memory]
fn value() -> i64 {
    5
}

fn main() {}
