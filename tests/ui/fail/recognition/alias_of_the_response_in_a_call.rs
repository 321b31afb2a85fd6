#![allow(unused)]

use anchorhold::prelude::*;

type Page = Response;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn page(&self) -> Page {
        Response::text(200, "page")
    }
}

fn main() {}
