#![allow(unused)]

use anchorhold::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Filter {
    page: u32,
}

struct Opaque;

#[durable_object]
struct Board {}

#[durable_object]
impl Board {
    #[get("/")]
    fn find(&self, #[query] filter: Opaque) {}
}

fn main() {}
