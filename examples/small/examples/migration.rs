//! The next version of an object that has data. Stored fields come and go by themselves; tables are
//! changed by migrations, each of which runs once in the life of each object, before anything else.
//!
//! ```sh
//! cargo run -p examples --example migration
//! curl -d '{"text": "rain", "mood": "calm"}' localhost:8787/diaries/ann/entries
//! curl localhost:8787/diaries/ann/entries
//! ```
#![cfg_attr(target_arch = "wasm32", no_main)]

use anchorhold::prelude::*;
use serde::{Deserialize, Serialize};

/// Version two. Append to the list of migrations; never change what has been deployed.
#[durable_object(migrations = [
    "CREATE TABLE entry (id INTEGER PRIMARY KEY, text TEXT NOT NULL)",
    "ALTER TABLE entry ADD COLUMN mood TEXT NOT NULL DEFAULT 'unknown'",
])]
struct Diary {
    /// Renamed: the data stays where it was.
    #[stored(key = "owner")]
    author: String,
    /// New: objects that have never stored it begin with the default.
    #[stored(default = 10)]
    entries_a_page: u32,
    // Version one had `visits`, which nobody reads any more. What is stored of it does no harm.
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    id: u64,
    text: String,
    mood: String,
}

#[durable_object]
impl Diary {
    #[rpc]
    #[post("/entries", status = 201)]
    fn write(&self, ctx: &Ctx, text: String, mood: String) -> Result<(), StorageError> {
        let insert = "INSERT INTO entry (text, mood) VALUES (?, ?)";
        ctx.storage().sql().execute(insert, (text, mood))?;
        Ok(())
    }

    #[rpc]
    #[get("/entries")]
    fn entries(&self, ctx: &Ctx) -> Result<Vec<Entry>, StorageError> {
        let newest = "SELECT id, text, mood FROM entry ORDER BY id DESC LIMIT ?";
        ctx.storage().sql().query(newest, (self.entries_a_page,))
    }

    #[rpc]
    #[get("/author")]
    fn author(&self) -> String {
        self.author.clone()
    }
}

#[anchorhold::app]
fn app() -> App {
    App::new().mount::<Diary>("/diaries/{name}")
}

#[cfg(not(target_arch = "wasm32"))]
fn main() -> std::process::ExitCode {
    anchorhold::serve(app)
}

/// Version one, as it was deployed.
#[cfg(test)]
mod version_one {
    use super::*;

    #[durable_object(migrations = ["CREATE TABLE entry (id INTEGER PRIMARY KEY, text TEXT NOT NULL)"])]
    pub struct Diary {
        owner: String,
        visits: u64,
    }

    #[durable_object]
    impl Diary {
        #[rpc]
        fn write(&mut self, ctx: &Ctx, owner: String, text: String) -> Result<(), StorageError> {
            self.owner = owner;
            self.visits += 1;
            let insert = "INSERT INTO entry (text) VALUES (?)";
            ctx.storage().sql().execute(insert, (text,))?;
            Ok(())
        }
    }
}

#[anchorhold::test]
async fn what_version_one_wrote_is_there_in_version_two(sim: Sim) {
    let old = sim.objects::<version_one::Diary>().named("ann");
    old.write("ann".to_owned(), "sun".to_owned()).await.unwrap();

    // A deployment: the old code's memory is gone, and the same object wakes with the new code.
    sim.crash().await;
    let new = sim.objects::<Diary>().named("ann");
    assert_eq!(new.author().await.unwrap(), "ann");
    new.write("rain".to_owned(), "calm".to_owned())
        .await
        .unwrap();

    // A second wake does not migrate again.
    sim.evict(&new).await;
    let entry = |id, text: &str, mood: &str| Entry {
        id,
        text: text.to_owned(),
        mood: mood.to_owned(),
    };
    assert_eq!(
        new.entries().await.unwrap(),
        [entry(2, "rain", "calm"), entry(1, "sun", "unknown")]
    );
}
