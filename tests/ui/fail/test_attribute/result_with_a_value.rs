#![allow(unused)]

use anchorhold::prelude::*;

#[anchorhold::test]
async fn counts(sim: Sim) -> Result<bool, String> {
    drop(sim);
    Ok(true)
}

fn main() {}
