#![allow(unused)]

use anchorhold::prelude::*;

macro_rules! getter {
    ($name:ident) => {
        #[rpc]
        fn $name(&self) -> i64 {
            self.$name
        }
    };
}

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    getter!(value);
}

fn main() {}
