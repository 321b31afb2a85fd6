#![allow(unused)]

use anchorhold::prelude::*;

#[anchorhold::test]
#[test]
async fn counts(sim: Sim) {}

fn main() {}
