//! A keyword as a parameter, a default that names the object, a class of another name.
#![deny(warnings)]

use anchorhold::prelude::*;

#[durable_object]
pub struct Counter {
    #[stored(default = Self::START)]
    value: i64,
    #[stored(default = vec![Self::START])]
    values: Vec<i64>,
}

impl Counter {
    const START: i64 = 5;
}

#[durable_object(class = "Tally")]
impl Counter {
    #[get("/items/{type}")]
    fn items(&self, r#type: String) -> i64 {
        let _ = (r#type, &self.values);
        self.value
    }

    #[get("/raw/{r#match}")]
    fn raw(&self, r#match: u8) -> u8 {
        r#match
    }

    #[rpc]
    fn start(&mut self) {}

    #[rpc]
    #[allow(clippy::new_ret_no_self, clippy::wrong_self_convention)]
    fn new(&mut self) {}
}

const _: () = assert!(matches!(Counter::CLASS.as_bytes(), b"Tally"));

fn main() {}
