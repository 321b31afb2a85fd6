#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
enum Counter {
    Empty,
    Full,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }
}

fn main() {}
