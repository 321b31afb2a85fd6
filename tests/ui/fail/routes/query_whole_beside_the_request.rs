#![allow(unused)]

use anchorhold::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Filter {
    page: u32,
}

#[durable_object]
struct Board {}

#[durable_object]
impl Board {
    #[post("/")]
    async fn find(&self, request: Request, #[query] filter: Filter) {}
}

fn main() {}
