#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
impl Vec<u8> {
    #[rpc]
    fn total(&self) -> u64 {
        0
    }
}

fn main() {}
