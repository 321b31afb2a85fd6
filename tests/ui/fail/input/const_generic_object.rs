#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Grid<const N: usize> {
    cells: Vec<u8>,
}

#[durable_object]
impl<const N: usize> Grid<N> {
    #[rpc]
    fn size(&self) -> usize {
        N
    }
}

fn main() {}
