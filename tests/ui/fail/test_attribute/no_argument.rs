#![allow(unused)]

use anchorhold::prelude::*;

#[anchorhold::test]
async fn counts() {}

fn main() {}
