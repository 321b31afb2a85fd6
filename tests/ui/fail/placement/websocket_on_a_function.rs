#![allow(unused)]

use anchorhold::prelude::*;

#[websocket("/ws")]
fn value() -> i64 {
    5
}

fn main() {}
