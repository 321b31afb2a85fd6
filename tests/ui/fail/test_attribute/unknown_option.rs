#![allow(unused)]

use anchorhold::prelude::*;

#[anchorhold::test(sed = 7)]
async fn counts(sim: Sim) {
    let _ = sim;
}

fn main() {}
