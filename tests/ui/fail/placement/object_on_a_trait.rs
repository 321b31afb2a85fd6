#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
trait Counter {
    #[rpc]
    fn value(&self) -> i64;
}

fn main() {}
