#![allow(unused)]

use anchorhold::prelude::*;

#[rpc]
#[get("/")]
#[memory]
fn value(#[body] value: i64) -> i64 {
    value
}

fn main() {}
