#![allow(unused)]

use anchorhold::prelude::*;

#[anchorhold::app]
fn app() -> u32 {
    5
}

fn main() {}
