#![allow(unused)]

use anchorhold::prelude::*;

#[anchorhold::error]
fn failed() {}

fn main() {}
