#![allow(unused)]

use anchorhold::prelude::*;

struct Counter {
    #[memory]
    reads: u64,
}

fn main() {}
