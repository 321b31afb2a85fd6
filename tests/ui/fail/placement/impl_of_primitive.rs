#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
impl u8 {
    #[rpc]
    fn value(&self) -> i64 {
        1
    }
}

fn main() {}
