#![allow(unused)]

use anchorhold::prelude::*;

#[anchorhold::test]
fn counts(sim: Sim) {
    let _ = sim;
}

fn main() {}
