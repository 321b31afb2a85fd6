#![allow(unused)]

use anchorhold::prelude::*;

#[anchorhold::app]
unsafe fn app() -> App {
    App::new()
}

fn main() {}
