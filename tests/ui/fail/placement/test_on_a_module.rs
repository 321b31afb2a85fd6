#![allow(unused)]

use anchorhold::prelude::*;

#[anchorhold::test]
mod cases {
    pub fn helper() {}
}

fn main() {
    cases::helper();
}
