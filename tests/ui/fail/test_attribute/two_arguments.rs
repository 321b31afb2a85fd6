#![allow(unused)]

use anchorhold::prelude::*;

#[anchorhold::test]
async fn counts(sim: Sim, name: String) {
    let _ = (sim, name);
}

fn main() {}
