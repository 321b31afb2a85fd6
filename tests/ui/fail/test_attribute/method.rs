#![allow(unused)]

use anchorhold::prelude::*;

#[anchorhold::test]
async fn counts(&self, sim: Sim) {}

fn main() {}
