#![allow(unused)]

use anchorhold::prelude::*;

#[alarm(every = "60s")]
struct Sweep;

fn main() {}
