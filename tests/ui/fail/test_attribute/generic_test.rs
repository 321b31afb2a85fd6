#![allow(unused)]

use anchorhold::prelude::*;

#[anchorhold::test]
async fn counts<T>(sim: Sim) {
    let _ = sim;
}

fn main() {}
