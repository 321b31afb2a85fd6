#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Queue<T> {
    items: Vec<T>,
}

#[durable_object]
impl<T> Queue<T> {
    #[rpc]
    fn len(&self) -> usize {
        self.items.len()
    }
}

fn main() {}
