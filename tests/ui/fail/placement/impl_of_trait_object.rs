#![allow(unused)]

use anchorhold::prelude::*;

trait Counts {}

#[durable_object]
impl dyn Counts {
    #[rpc]
    fn value(&self) -> i64 {
        1
    }
}

fn main() {}
