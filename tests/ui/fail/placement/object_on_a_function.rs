#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
fn counter() {}

fn main() {}
