#![allow(unused)]

use anchorhold::prelude::*;

#[anchorhold::test(seeds = 0)]
async fn counts(sim: Sim) {
    let _ = sim;
}

fn main() {}
