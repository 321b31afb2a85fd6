//! The output gate: everything that leaves the object reports only durable writes.

use anchorhold::prelude::*;
use serde::{Deserialize, Serialize};

/// What is on disk.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ledger {
    pub field: Vec<u64>,
    pub first: Vec<u64>,
    pub second: Vec<u64>,
}

/// Writes numbers, and reports each in every way that an object can.
#[durable_object]
pub struct GateProbe {
    numbers: StoredMap<u64, bool>,
}

#[durable_object]
impl GateProbe {
    #[post("/write")]
    fn write(&mut self, ctx: &Ctx, number: u64) -> Result<u64, StorageError> {
        self.record(ctx, number)?;
        Ok(number)
    }

    /// Reports to another object.
    #[post("/tell")]
    async fn tell(&self, ctx: &Ctx, number: u64) -> Result<u64, Error> {
        Self::put_both(ctx, number)?;
        ctx.objects::<Witness>()
            .named("witness")
            .testify(number)
            .await?;
        Ok(number)
    }

    /// Reports to the outside world, and returns its answer.
    #[post("/publish")]
    async fn publish(&self, ctx: &Ctx, number: u64, to: String) -> Result<String, Error> {
        Self::put_both(ctx, number)?;
        let notice = Request::new("POST", &to)
            .with_header("x-number", &number.to_string())
            .with_json(&number)?;
        let answer = ctx.fetch(notice).await?;
        let header = answer.header("x-answer").unwrap_or_default();
        let body = String::from_utf8_lossy(answer.body().unwrap_or_default());
        Ok(format!("{} {header} {body}", answer.status()))
    }

    #[websocket("/ws")]
    fn connect(&self) -> Accept<()> {
        Accept::new(())
    }

    /// Reports to the socket.
    #[message]
    fn number(&mut self, ctx: &Ctx, socket: &Socket<()>, number: u64) -> Result<(), Error> {
        self.record(ctx, number)?;
        socket.send(&number)?;
        Ok(())
    }

    #[get("/ledger")]
    fn ledger(&self, ctx: &Ctx) -> Result<Ledger, StorageError> {
        let field = self.numbers.entries(None, usize::MAX)?;
        Ok(Ledger {
            field: field.into_iter().map(|(number, _)| number).collect(),
            first: numbers(ctx, "first/")?,
            second: numbers(ctx, "second/")?,
        })
    }

    fn record(&mut self, ctx: &Ctx, number: u64) -> Result<(), StorageError> {
        self.numbers.insert(&number, &true)?;
        Self::put_both(ctx, number)
    }

    fn put_both(ctx: &Ctx, number: u64) -> Result<(), StorageError> {
        ctx.storage().put(&format!("first/{number}"), &number)?;
        ctx.storage().put(&format!("second/{number}"), &number)
    }
}

fn numbers(ctx: &Ctx, prefix: &str) -> Result<Vec<u64>, StorageError> {
    let entries = ctx
        .storage()
        .list(&anchorhold::List::all().prefix(prefix))?;
    Ok(entries.into_iter().map(|(_, number)| number).collect())
}

/// Stores what it was told.
#[durable_object]
pub struct Witness {
    heard: StoredMap<u64, bool>,
}

#[durable_object]
impl Witness {
    #[rpc]
    fn testify(&mut self, number: u64) -> Result<(), StorageError> {
        self.heard.insert(&number, &true)?;
        Ok(())
    }

    #[get("/")]
    fn heard(&self) -> Result<Vec<u64>, StorageError> {
        Ok(self
            .heard
            .entries(None, usize::MAX)?
            .into_iter()
            .map(|(number, _)| number)
            .collect())
    }
}
