#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
impl std::time::Duration {
    #[get("/")]
    fn value(&self) -> u64 {
        self.as_secs()
    }
}

fn main() {}
