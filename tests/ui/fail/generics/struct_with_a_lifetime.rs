#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Queue<'a> {
    items: Vec<&'a str>,
}

#[durable_object]
impl Queue<'_> {
    #[rpc]
    fn len(&self) -> usize {
        self.items.len()
    }
}

fn main() {}
