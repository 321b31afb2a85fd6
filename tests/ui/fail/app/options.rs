#![allow(unused)]

use anchorhold::prelude::*;

#[anchorhold::app(port = 8080)]
fn app() -> App {
    App::new()
}

fn main() {}
