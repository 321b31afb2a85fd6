//! Notebooks: one object for each name.

use anchorhold::prelude::*;
use serde::{Deserialize, Serialize};

/// A notebook.
#[durable_object]
pub struct Notebook {
    /// Durable. Keeps the newest 1,000 notes.
    notes: StoredLog<Note, 1000>,
    /// Forgotten when the object leaves memory.
    #[memory]
    reads: u64,
}

/// A note, as it is stored and sent.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// What was written.
    pub text: String,
    /// When.
    pub at: Timestamp,
}

#[durable_object]
impl Notebook {
    /// `POST /notebooks/{name}/notes` with `{"text": "…"}`. Returns the number of the note.
    #[rpc]
    #[post("/notes", status = 201)]
    fn write(&mut self, ctx: &Ctx, text: String) -> Result<u64, Error> {
        if text.is_empty() || text.len() > 1_000 {
            let message = format!("`text` has {} bytes; must have 1 to 1000", text.len());
            return Err(Error::bad_request("text_length", message));
        }
        let at = ctx.now();
        Ok(self.notes.push(&Note { text, at })?)
    }

    /// `GET /notebooks/{name}/notes?limit=10`. Returns the newest notes, oldest first.
    #[rpc]
    #[get("/notes")]
    fn newest(&mut self, limit: Option<usize>) -> Result<Vec<Note>, Error> {
        self.reads += 1;
        let limit = limit.unwrap_or(10).min(100);
        let newest = self.notes.newest(0..u64::MAX, limit)?;
        Ok(newest.into_iter().map(|(_, note)| note).collect())
    }
}

/// The objects, and the paths that lead to them.
#[must_use]
#[anchorhold::app]
pub fn app() -> App {
    App::new()
        .mount::<Notebook>("/notebooks/{name}")
        .get("/healthz", async |_, _| Ok(Response::text(200, "ok")))
}
