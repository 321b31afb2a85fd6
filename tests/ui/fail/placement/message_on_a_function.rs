#![allow(unused)]

use anchorhold::prelude::*;

#[message]
fn value() -> i64 {
    5
}

fn main() {}
