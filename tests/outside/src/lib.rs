//! Three objects of a user: stored collections, sockets with alarms, and one that calls another.
#![deny(warnings, missing_docs, clippy::pedantic)]

use std::time::Duration;

use anchorhold::prelude::*;
use serde::{Deserialize, Serialize};

/// Items in stock.
#[durable_object(migrations = ["CREATE TABLE delivery (id INTEGER PRIMARY KEY, item TEXT NOT NULL)"])]
pub struct Stock {
    items: StoredMap<String, u32>,
    history: StoredLog<String, 100>,
}

/// Why an item was not taken.
#[derive(Debug, Serialize, Deserialize)]
pub enum StockError {
    /// Fewer items are left than were requested.
    OnlyLeft(u32),
    /// Storage failed.
    Storage(StorageError),
}

impl std::fmt::Display for StockError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::OnlyLeft(left) => write!(formatter, "only {left} are left"),
            Self::Storage(error) => error.fmt(formatter),
        }
    }
}

impl From<StorageError> for StockError {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

impl ObjectError for StockError {
    fn status(&self) -> u16 {
        409
    }
}

#[durable_object]
impl Stock {
    /// Adds the items of a delivery.
    #[rpc]
    #[post("/items/{item}")]
    fn deliver(&mut self, ctx: &Ctx, item: &str, count: u32) -> Result<u32, StockError> {
        let item = item.to_owned();
        let left = self.items.get(&item)?.unwrap_or(0) + count;
        self.items.insert(&item, &left)?;
        self.history.push(&format!("{count} {item} delivered"))?;
        ctx.storage()
            .sql()
            .execute("INSERT INTO delivery (item) VALUES (?)", (item,))?;
        Ok(left)
    }

    /// Takes items out.
    #[rpc]
    fn take(&mut self, item: &str, count: u32) -> Result<u32, StockError> {
        let item = item.to_owned();
        let left = self.items.get(&item)?.unwrap_or(0);
        let rest = left.checked_sub(count).ok_or(StockError::OnlyLeft(left))?;
        self.items.insert(&item, &rest)?;
        Ok(rest)
    }
}

/// A customer's order.
#[durable_object]
pub struct Order {
    lines: Vec<(String, u32)>,
    reminded_of: u32,
}

#[durable_object]
impl Order {
    /// Reserves an item.
    #[rpc]
    async fn add(&mut self, ctx: &Ctx, item: String, count: u32) -> Result<usize, Error> {
        let stock = ctx.objects::<Stock>().named("main");
        stock
            .take(&item, count)
            .await
            .map_err(|error| Error::conflict("stock", error.to_string()))?;
        self.lines.push((item, count));
        Self::schedules(ctx)
            .remind(item_count(&self.lines))
            .after(Duration::from_hours(1))?;
        Ok(self.lines.len())
    }

    #[alarm]
    fn remind(&mut self, items: u32) {
        self.reminded_of = items;
    }
}

fn item_count(lines: &[(String, u32)]) -> u32 {
    lines.iter().map(|(_, count)| count).sum()
}

/// The watcher of a board.
#[derive(Serialize, Deserialize)]
pub struct Watcher {
    name: String,
}

/// A board that tells its watchers about every note.
#[durable_object]
pub struct Board {
    #[memory]
    told: u64,
}

#[durable_object]
impl Board {
    #[websocket("/watch")]
    fn watch(&mut self, name: String) -> Accept<Watcher> {
        Accept::new(Watcher { name }).greet(&self.told)
    }

    #[message(text)]
    fn note(&mut self, ctx: &Ctx, socket: &Socket<Watcher>, note: &str) -> Result<(), Error> {
        let text = format!("{}: {note}", socket.session()?.name);
        ctx.sockets::<Watcher>().broadcast(&text)?;
        self.told += 1;
        Ok(())
    }
}

/// The app.
#[must_use]
#[anchorhold::app]
pub fn app() -> App {
    App::new()
        .mount::<Stock>("/stock/{name}")
        .mount::<Board>("/boards/{name}")
        .object::<Order>()
}
