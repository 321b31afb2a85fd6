#![allow(unused)]

use anchorhold::prelude::*;

#[derive(serde::Serialize, serde::Deserialize)]
#[durable_object]
struct Counter {
    #[serde(rename = "v")]
    value: i64,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn touch(&mut self) {}
}

fn main() {}
