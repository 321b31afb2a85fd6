#![allow(unused)]

use anchorhold::prelude::*;

#[anchorhold::app]
extern "C" fn app() -> App {
    App::new()
}

fn main() {}
