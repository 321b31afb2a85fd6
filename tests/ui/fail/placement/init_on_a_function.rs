#![allow(unused)]

use anchorhold::prelude::*;

#[init]
fn value() -> i64 {
    5
}

fn main() {}
