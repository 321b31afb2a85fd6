//! Generated code finds `String`, `Box` and `Vec` without the standard library in scope.
#![no_std]
#![deny(warnings)]

extern crate alloc;
extern crate std;

use alloc::string::String;
use anchorhold::prelude::*;

#[durable_object]
pub struct Counter {
    name: String,
}

#[durable_object]
impl Counter {
    #[rpc]
    async fn rename(&mut self, name: &str) {
        self.name = name.into();
    }
}

fn main() {}
