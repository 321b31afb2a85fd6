#![allow(unused)]

use anchorhold::prelude::*;

#[query]
fn value() -> i64 {
    5
}

fn main() {}
