#![allow(unused)]

use anchorhold::prelude::*;

#[body]
fn value() -> i64 {
    5
}

fn main() {}
