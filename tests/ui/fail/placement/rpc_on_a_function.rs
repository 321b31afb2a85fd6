#![allow(unused)]

use anchorhold::prelude::*;

#[rpc]
fn value() -> i64 {
    5
}

fn main() {}
