#![allow(unused)]

use anchorhold::prelude::*;

#[close]
fn value() -> i64 {
    5
}

fn main() {}
