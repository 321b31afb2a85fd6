#![allow(unused)]

use anchorhold::prelude::*;

#[alarm(every = "60s")]
fn value() -> i64 {
    5
}

fn main() {}
