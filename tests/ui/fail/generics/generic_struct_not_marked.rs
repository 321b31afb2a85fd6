#![allow(unused)]

use anchorhold::prelude::*;

struct Holder<T> {
    value: T,
}

#[durable_object]
impl Holder<i64> {
    #[rpc]
    fn touch(&mut self) {}
}

fn main() {}
