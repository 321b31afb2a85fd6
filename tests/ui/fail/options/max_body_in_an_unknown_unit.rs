#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Uploads {
    bytes: usize,
}

#[durable_object]
impl Uploads {
    #[post("/", max_body = "16 MB")]
    async fn take(&mut self, request: Request) {}
}

fn main() {}
