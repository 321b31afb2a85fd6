//! What only answers routes may borrow from the object: it is written before the turn ends.
#![deny(warnings)]

use std::borrow::Cow;

use anchorhold::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Default)]
struct Note {
    text: String,
}

/// A page, whose title may be anywhere.
#[derive(Serialize)]
struct Page<'a> {
    title: &'a str,
    notes: &'a [Note],
}

type Found<'a> = Result<Option<&'a Note>, Error>;

#[durable_object]
struct Board {
    title: String,
    notes: Vec<Note>,
}

#[durable_object]
impl Board {
    #[get("/notes")]
    fn notes(&self) -> &[Note] {
        &self.notes
    }

    #[get("/notes/{index}")]
    fn note(&self, index: usize) -> Result<&Note, Error> {
        let note = self.notes.get(index);
        note.ok_or_else(|| Error::not_found("no such note"))
    }

    #[get("/last")]
    fn last(&self) -> Found<'_> {
        Ok(self.notes.last())
    }

    #[get("/page")]
    async fn page(&self, ctx: &Ctx) -> Page<'_> {
        let _ = ctx.now();
        Page {
            title: &self.title,
            notes: &self.notes,
        }
    }

    // The same with its lifetime hidden.
    #[get("/whole-page", status = 203)]
    #[allow(mismatched_lifetime_syntaxes)]
    fn whole_page(&self) -> Page {
        Page {
            title: &self.title,
            notes: &self.notes,
        }
    }

    #[post("/title")]
    async fn rename(&mut self, title: String) -> Cow<'_, str> {
        self.title = title;
        Cow::Borrowed(&self.title)
    }

    #[get("/title")]
    fn title(&self) -> Option<&str> {
        (!self.title.is_empty()).then_some(&*self.title)
    }
}

#[anchorhold::app]
fn app() -> App {
    App::new().mount::<Board>("/boards/{name}")
}

fn main() {
    let _ = app();
}
