#![allow(unused)]

use anchorhold::prelude::*;

#[anchorhold::test]
async fn counts(sim: Sim) -> i64 {
    drop(sim);
    7
}

fn main() {}
