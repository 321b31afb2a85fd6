#![allow(unused)]

use anchorhold::prelude::*;

#[anchorhold::app]
fn app() -> Result<App, Error> {
    Ok(App::new())
}

fn main() {}
