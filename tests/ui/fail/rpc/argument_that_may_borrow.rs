#![allow(unused)]

use anchorhold::prelude::*;
use std::borrow::Cow;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn rename(&mut self, name: Cow<str>) {}
}

fn main() {}
