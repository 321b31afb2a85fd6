#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    votes: StoredMap<String, i32>,
    #[stored(key = "votes/ann")]
    hers: String,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn touch(&mut self) {}
}

fn main() {}
