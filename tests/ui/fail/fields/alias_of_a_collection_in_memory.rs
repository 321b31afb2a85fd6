#![allow(unused)]

use anchorhold::prelude::*;

type Votes = StoredMap<String, i32>;

#[durable_object]
struct Counter {
    #[memory]
    votes: Votes,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn touch(&mut self) {}
}

fn main() {}
