#![allow(unused)]

use anchorhold::prelude::*;

#[anchorhold::app]
#[anchorhold::app]
fn app() -> App {
    App::new()
}

fn main() {}
