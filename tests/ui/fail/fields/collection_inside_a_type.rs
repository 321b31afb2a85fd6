#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Votes {
    polls: Vec<StoredMap<String, i32>>,
}

#[durable_object]
impl Votes {
    #[rpc]
    fn count(&self) -> u64 {
        0
    }
}

fn main() {}
