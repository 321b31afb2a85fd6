#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Votes {
    #[memory]
    by_user: StoredMap<String, i32>,
}

#[durable_object]
impl Votes {
    #[rpc]
    fn count(&self) -> u64 {
        0
    }
}

fn main() {}
