#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
#[derive(serde::Serialize, serde::Deserialize)]
struct Counter {
    #[serde(skip)]
    scratch: Vec<u8>,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn touch(&mut self) {}
}

fn main() {}
