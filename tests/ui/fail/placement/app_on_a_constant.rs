#![allow(unused)]

use anchorhold::prelude::*;

#[anchorhold::app]
const APP: fn() -> App = App::new;

fn main() {
    let _ = APP;
}
