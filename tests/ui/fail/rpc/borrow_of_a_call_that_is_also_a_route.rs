#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Board {
    notes: Vec<String>,
}

#[durable_object]
impl Board {
    #[rpc]
    #[get("/notes")]
    fn notes(&self) -> Option<&String> {
        self.notes.first()
    }
}

fn main() {}
