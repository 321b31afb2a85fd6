//! A handler may leave out the lifetime of its result, as every other function may.
#![deny(warnings)]

use anchorhold::prelude::*;
use serde::Serialize;

#[derive(Serialize)]
pub struct Title<'a> {
    text: &'a str,
}

#[durable_object]
pub struct Page {
    title: String,
}

#[durable_object]
impl Page {
    #[get("/title")]
    #[allow(mismatched_lifetime_syntaxes)]
    fn title(&self) -> Title {
        Title { text: &self.title }
    }

    #[get("/text")]
    fn text(&self) -> Title<'_> {
        Title { text: &self.title }
    }
}

fn main() {}
