//! Stored fields, collections and migrations, as a user meets them.

use anchorhold::List;
use anchorhold::prelude::*;
use serde::{Deserialize, Serialize};

#[durable_object(migrations = ["CREATE TABLE entry (text TEXT NOT NULL)"])]
struct Notebook {
    title: String,
    tags: StoredMap<String, u32>,
    recent: StoredLog<String, 3>,
}

#[durable_object]
impl Notebook {
    #[rpc]
    fn write(&mut self, ctx: &Ctx, text: String, fail: bool) -> Result<u64, Error> {
        self.title = text.clone();
        self.tags.insert(&text, &1)?;
        let index = self.recent.push(&text)?;
        ctx.storage().transaction(|storage| {
            storage
                .sql()
                .execute("INSERT INTO entry (text) VALUES (?)", (&text,))?;
            if fail {
                Err(Error::conflict("refused", "as asked"))
            } else {
                Ok(())
            }
        })?;
        Ok(index)
    }

    #[rpc]
    fn tag(&mut self, name: String, count: u32) -> Result<Option<u32>, StorageError> {
        self.tags.insert(&name, &count)
    }

    #[rpc]
    fn untag(&mut self, name: String) -> Result<Option<u32>, StorageError> {
        self.tags.remove(&name)
    }

    #[rpc]
    fn start_over(&mut self) {
        self.tags = StoredMap::default();
    }

    #[rpc]
    fn wipe(&mut self, ctx: &Ctx) -> Result<(), StorageError> {
        self.title = "soon forgotten".to_owned();
        ctx.storage().delete_all()
    }

    #[rpc]
    fn contents(&self, ctx: &Ctx) -> Result<Contents, StorageError> {
        Ok(Contents {
            title: self.title.clone(),
            tags: self.tags.entries(None, 100)?,
            recent: self.recent.newest(0..u64::MAX, 100)?,
            rows: ctx
                .storage()
                .sql()
                .query("SELECT text FROM entry ORDER BY rowid", ())?,
        })
    }
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Contents {
    title: String,
    tags: Vec<(String, u32)>,
    recent: Vec<(u64, String)>,
    rows: Vec<String>,
}

#[anchorhold::test]
async fn a_failed_turn_takes_back_fields_and_collections(sim: Sim) {
    let notebook = sim.objects::<Notebook>().named("a");
    notebook.write("one".to_owned(), false).await.unwrap();
    let before = notebook.contents().await.unwrap();
    let error = notebook.write("two".to_owned(), true).await.unwrap_err();
    assert_eq!(
        error,
        CallError::Application(Error::conflict("refused", "as asked"))
    );
    assert_eq!(notebook.contents().await.unwrap(), before);
    sim.evict(&notebook).await;
    assert_eq!(notebook.contents().await.unwrap(), before);
}

#[anchorhold::test]
async fn a_log_keeps_the_newest_and_never_gives_an_index_twice(sim: Sim) {
    let notebook = sim.objects::<Notebook>().named("a");
    for (expected, text) in (1..).zip(["a", "b", "c", "d", "e"]) {
        assert_eq!(
            notebook.write(text.to_owned(), false).await.unwrap(),
            expected
        );
        sim.evict(&notebook).await;
    }
    let recent = notebook.contents().await.unwrap().recent;
    assert_eq!(
        recent,
        [
            (3, "c".to_owned()),
            (4, "d".to_owned()),
            (5, "e".to_owned())
        ]
    );
}

#[anchorhold::test]
async fn a_map_keeps_its_entries_one_by_one(sim: Sim) {
    let notebook = sim.objects::<Notebook>().named("a");
    assert_eq!(notebook.tag("b".to_owned(), 1).await.unwrap(), None);
    assert_eq!(notebook.tag("a".to_owned(), 2).await.unwrap(), None);
    assert_eq!(notebook.tag("b".to_owned(), 3).await.unwrap(), Some(1));
    sim.evict(&notebook).await;
    let tags = notebook.contents().await.unwrap().tags;
    assert_eq!(tags, [("a".to_owned(), 2), ("b".to_owned(), 3)]);
    assert_eq!(notebook.untag("a".to_owned()).await.unwrap(), Some(2));
    assert_eq!(notebook.untag("a".to_owned()).await.unwrap(), None);
    notebook.start_over().await.unwrap();
    sim.evict(&notebook).await;
    assert_eq!(notebook.contents().await.unwrap().tags, []);
}

#[anchorhold::test]
async fn delete_all_leaves_an_object_as_new(sim: Sim) {
    let notebook = sim.objects::<Notebook>().named("a");
    notebook.write("one".to_owned(), false).await.unwrap();
    notebook.wipe().await.unwrap();
    // The migrations have made the table again.
    assert_eq!(notebook.contents().await.unwrap(), Contents::default());
    sim.evict(&notebook).await;
    assert_eq!(notebook.contents().await.unwrap(), Contents::default());
    assert_eq!(notebook.write("again".to_owned(), false).await.unwrap(), 1);
}

/// The same class in two versions of an app.
mod first_default {
    use super::*;

    #[durable_object]
    pub struct Fare {
        #[stored(default = 30)]
        price: u64,
        sold: u64,
    }

    #[durable_object]
    impl Fare {
        #[rpc]
        fn sell(&mut self) {
            self.sold += 1;
        }

        #[rpc]
        fn set_price(&mut self, price: u64) {
            self.price = price;
        }
    }
}

mod second_default {
    use super::*;

    #[durable_object]
    pub struct Fare {
        #[stored(default = 99)]
        price: u64,
        sold: u64,
    }

    #[durable_object]
    impl Fare {
        #[rpc]
        fn read(&self) -> (u64, u64) {
            (self.price, self.sold)
        }
    }
}

#[anchorhold::test]
async fn field_follows_a_new_default_until_a_turn_changes_it(sim: Sim) {
    let old = sim.objects::<first_default::Fare>();
    old.named("sold").sell().await.unwrap();
    old.named("dear").set_price(50).await.unwrap();
    old.named("back").set_price(50).await.unwrap();
    old.named("back").set_price(30).await.unwrap();
    assert_eq!(sim.field::<_, u64>(&old.named("sold"), "price"), Ok(None));
    sim.crash().await;
    let new = sim.objects::<second_default::Fare>();
    assert_eq!(new.named("sold").read().await, Ok((99, 1)));
    assert_eq!(new.named("dear").read().await, Ok((50, 0)));
    assert_eq!(new.named("back").read().await, Ok((30, 0)));
}

mod first_version {
    use super::*;

    #[durable_object(migrations = ["CREATE TABLE visit (at INTEGER)"])]
    pub struct Profile {
        name: String,
        dropped: u64,
    }

    #[durable_object]
    impl Profile {
        #[rpc]
        fn rename(&mut self, ctx: &Ctx, name: String) -> Result<(), StorageError> {
            self.name = name;
            self.dropped += 1;
            ctx.storage()
                .sql()
                .execute("INSERT INTO visit VALUES (?)", (ctx.now(),))?;
            Ok(())
        }
    }
}

mod second_version {
    use super::*;

    #[durable_object(migrations = [
        "CREATE TABLE visit (at INTEGER)",
        "ALTER TABLE visit ADD COLUMN place TEXT NOT NULL DEFAULT 'home'",
    ])]
    pub struct Profile {
        #[stored(key = "name")]
        full_name: String,
        #[stored(default = 7)]
        added: u64,
    }

    #[durable_object]
    impl Profile {
        #[rpc]
        fn read(&self, ctx: &Ctx) -> Result<(String, u64, Vec<String>), StorageError> {
            let places = ctx.storage().sql().query("SELECT place FROM visit", ())?;
            Ok((self.full_name.clone(), self.added, places))
        }
    }
}

#[anchorhold::test]
async fn fields_may_be_added_renamed_and_dropped_and_migrations_appended(sim: Sim) {
    let old = sim.objects::<first_version::Profile>().named("a");
    old.rename("ann".to_owned()).await.unwrap();
    sim.crash().await;
    let new = sim.objects::<second_version::Profile>().named("a");
    for _ in 0..2 {
        let (name, added, places) = new.read().await.unwrap();
        assert_eq!(
            (name.as_str(), added, places),
            ("ann", 7, vec!["home".to_owned()])
        );
        sim.evict(&new).await;
    }
}

#[durable_object]
struct Shelf {
    label: String,
}

#[durable_object]
impl Shelf {
    #[rpc]
    fn fill(&self, ctx: &Ctx, keys: Vec<String>) -> Result<(), StorageError> {
        keys.iter().try_for_each(|key| ctx.storage().put(key, key))
    }

    #[rpc]
    fn keys(
        &self,
        ctx: &Ctx,
        prefix: String,
        limit: Option<usize>,
        reverse: bool,
    ) -> Result<Vec<String>, StorageError> {
        let mut list = List::all().prefix(prefix);
        if let Some(limit) = limit {
            list = list.limit(limit);
        }
        if reverse {
            list = list.reverse();
        }
        Ok(ctx
            .storage()
            .list::<String>(&list)?
            .into_iter()
            .map(|(key, _)| key)
            .collect())
    }

    #[alarm(every = "1h")]
    fn tidy(&mut self) {
        self.label.clear();
    }
}

#[anchorhold::test]
async fn reserved_and_field_keys_are_refused_with_the_reason(sim: Sim) {
    let shelf = sim.objects::<Shelf>().named("a");
    for (key, reason) in [
        (
            "label",
            "`label` is a stored field: assign to the field instead",
        ),
        (
            "__anchorhold/x",
            "`__anchorhold/x`: keys that begin `__anchorhold/` are reserved",
        ),
        ("", "a key cannot be empty"),
    ] {
        let error = shelf.fill(vec![key.to_owned()]).await.unwrap_err();
        assert_eq!(error.to_string(), reason);
    }
    let long = "k".repeat(2_049);
    let error = shelf.fill(vec![long]).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "a key of 2049 bytes is over the limit of 2048"
    );
}

#[anchorhold::test]
async fn lists_are_bounded_ordered_and_free_of_the_runtimes_own_keys(sim: Sim) {
    let shelf = sim.objects::<Shelf>().named("a");
    let keys: Vec<String> = ["b", "a/2", "a/1", "ä"].map(str::to_owned).to_vec();
    shelf.fill(keys).await.unwrap();
    let list = |prefix: &str, limit, reverse| shelf.keys(prefix.to_owned(), limit, reverse);
    assert_eq!(
        list("", None, false).await.unwrap(),
        ["a/1", "a/2", "b", "ä"]
    );
    assert_eq!(list("", Some(2), true).await.unwrap(), ["ä", "b"]);
    assert_eq!(list("a/", Some(1), false).await.unwrap(), ["a/1"]);
    let error = list("", Some(0), false).await.unwrap_err();
    assert_eq!(error.to_string(), "list: `limit` is 0; must be at least 1");
}
