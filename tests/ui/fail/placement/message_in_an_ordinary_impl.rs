#![allow(unused)]

use anchorhold::prelude::*;

struct Room;

impl Room {
    #[message]
    #[anchorhold::error]
    fn said(&mut self, #[body] text: String) {}
}

fn main() {}
