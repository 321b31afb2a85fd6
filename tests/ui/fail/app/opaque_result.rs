#![allow(unused)]

use anchorhold::prelude::*;

#[anchorhold::app]
fn app() -> impl Into<App> {
    App::new()
}

fn main() {}
