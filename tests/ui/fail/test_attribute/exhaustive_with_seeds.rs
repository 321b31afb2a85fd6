#![allow(unused)]

use anchorhold::prelude::*;

#[anchorhold::test(exhaustive, seeds = 10)]
async fn counts(sim: Sim) {
    let _ = sim;
}

fn main() {}
