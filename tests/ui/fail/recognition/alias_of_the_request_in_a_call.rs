#![allow(unused)]

use anchorhold::prelude::*;

type Upload = Request;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn upload(&mut self, upload: Upload) {}
}

fn main() {}
