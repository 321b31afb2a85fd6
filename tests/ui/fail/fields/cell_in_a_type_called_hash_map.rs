#![allow(unused)]

use anchorhold::prelude::*;

mod own {
    #[derive(Default, serde::Serialize, serde::Deserialize)]
    pub struct HashMap {
        inner: std::cell::RefCell<u64>,
    }
}

#[durable_object]
struct Counter {
    hits: own::HashMap,
}

#[durable_object]
impl Counter {}

fn main() {}
