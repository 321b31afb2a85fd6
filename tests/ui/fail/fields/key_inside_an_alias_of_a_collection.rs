#![allow(unused)]

use anchorhold::prelude::*;

type Votes = StoredMap<String, i32>;

#[durable_object]
struct Counter {
    votes: Votes,
    #[stored(key = "votes/ann")]
    hers: String,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn touch(&mut self) {}
}

fn main() {}
