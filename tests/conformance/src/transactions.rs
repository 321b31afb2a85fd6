//! Turns as transactions: what remains after a turn that succeeds, and after one that fails.

use std::time::Duration;

use anchorhold::prelude::*;
use serde::{Deserialize, Serialize};

const HOUR: Duration = Duration::from_secs(3_600);
/// Long enough for a real await.
const MOMENT: Duration = Duration::from_millis(1);

/// The type of a handler's result decides whether it can fail. Turns of handlers with this alias
/// fail and are rolled back all the same.
type Answer<T> = Result<T, Error>;

/// How a turn ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    Succeed,
    Fail,
}

impl Ending {
    fn reach(self) -> Result<(), Error> {
        match self {
            Self::Succeed => Ok(()),
            Self::Fail => Err(Error::conflict("as_told", "as told")),
        }
    }
}

/// Everything that a turn has changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traces {
    pub field: i64,
    pub entry: Option<i64>,
    pub key: Option<i64>,
    pub deleted_key: Option<i64>,
    pub rows: i64,
    pub is_scheduled: bool,
    pub is_cancelled: bool,
    pub remembered: i64,
    /// The first and the next index of the log.
    pub log: (u64, u64),
}

/// Changes everything that a turn can change.
#[durable_object(migrations = ["CREATE TABLE trace (at INTEGER)"])]
pub struct TransactionProbe {
    field: i64,
    entries: StoredMap<String, i64>,
    log: StoredLog<i64, 100>,
    #[memory]
    remembered: i64,
}

#[durable_object]
impl TransactionProbe {
    #[post("/prepare")]
    fn prepare(&mut self, ctx: &Ctx) -> Result<(), StorageError> {
        ctx.storage().put("deleted", &1)?;
        self.log.push(&0)?;
        Self::schedules(ctx).ring().key("cancelled").after(HOUR)
    }

    #[get("/traces")]
    fn traces(&self, ctx: &Ctx) -> Result<Traces, StorageError> {
        let storage = ctx.storage();
        let rows = storage
            .sql()
            .query_first("SELECT count(*) FROM trace", ())?;
        Ok(Traces {
            field: self.field,
            entry: self.entries.get("entry")?,
            key: storage.get("key")?,
            deleted_key: storage.get("deleted")?,
            rows: rows.unwrap_or_default(),
            is_scheduled: Self::schedules(ctx).next_ring("scheduled")?.is_some(),
            is_cancelled: Self::schedules(ctx).next_ring("cancelled")?.is_none(),
            remembered: self.remembered,
            log: (self.log.indices().start, self.log.indices().end),
        })
    }

    fn leave_traces(&mut self, ctx: &Ctx) -> Result<(), StorageError> {
        let storage = ctx.storage();
        self.field += 1;
        self.remembered += 1;
        self.entries.insert("entry", &1)?;
        self.log.push(&1)?;
        storage.put("key", &1)?;
        storage.delete("deleted")?;
        storage.sql().execute("INSERT INTO trace VALUES (1)", ())?;
        Self::schedules(ctx).cancel_ring("cancelled")?;
        Self::schedules(ctx).ring().key("scheduled").after(HOUR)
    }

    #[post("/write")]
    fn write(&mut self, ctx: &Ctx, ending: Ending) -> Answer<()> {
        self.leave_traces(ctx)?;
        ending.reach()
    }

    fn look_around(ctx: &Ctx, writes: bool) -> Result<(), StorageError> {
        let _: Option<i64> = ctx.storage().get("key")?;
        let sql = ctx.storage().sql();
        let _: Option<i64> = sql.query_first("SELECT count(*) FROM trace", ())?;
        if writes {
            sql.execute("INSERT INTO trace VALUES (1)", ())?;
        }
        Ok(())
    }

    #[post("/look")]
    fn look(&self, ctx: &Ctx, writes: bool, ending: Ending) -> Answer<()> {
        Self::look_around(ctx, writes)?;
        ending.reach()
    }

    #[post("/look-and-wait")]
    async fn look_and_wait(&self, ctx: &Ctx, writes: bool, ending: Ending) -> Answer<()> {
        ctx.sleep(MOMENT).await;
        Self::look_around(ctx, writes)?;
        ending.reach()
    }

    #[post("/write-and-wait")]
    async fn write_and_wait(&mut self, ctx: &Ctx, ending: Ending) -> Answer<()> {
        self.leave_traces(ctx)?;
        ctx.sleep(MOMENT).await;
        ending.reach()
    }

    #[post("/wait-and-write")]
    async fn wait_and_write(&mut self, ctx: &Ctx, ending: Ending) -> Answer<()> {
        ctx.sleep(MOMENT).await;
        self.leave_traces(ctx)?;
        ending.reach()
    }

    #[post("/wipe")]
    fn wipe(&mut self, ctx: &Ctx, ending: Ending) -> Answer<()> {
        ctx.storage().delete_all()?;
        ending.reach()
    }

    #[post("/wipe-and-wait")]
    async fn wipe_and_wait(&mut self, ctx: &Ctx, ending: Ending) -> Answer<()> {
        ctx.storage().delete_all()?;
        ctx.sleep(MOMENT).await;
        ending.reach()
    }

    #[alarm]
    fn ring(&self) {}

    #[websocket("/ws")]
    fn connect(&self) -> Accept<i64> {
        Accept::new(0)
    }

    #[get("/sessions")]
    fn sessions(&self, ctx: &Ctx) -> Result<Vec<i64>, SocketError> {
        let sockets = ctx.sockets::<i64>().all();
        sockets.iter().map(Socket::session).collect()
    }

    #[post("/tell")]
    fn tell(&self, ctx: &Ctx, text: String) -> Result<usize, SocketError> {
        ctx.sockets::<i64>().broadcast(&text)
    }

    fn send_and_mark(ctx: &Ctx) -> Result<(), SocketError> {
        for socket in ctx.sockets::<i64>().all() {
            socket.send("sent")?;
            socket.set_session(&(socket.session()? + 1))?;
        }
        Ok(())
    }

    #[post("/send")]
    fn send(&self, ctx: &Ctx, ending: Ending) -> Answer<()> {
        Self::send_and_mark(ctx)?;
        ending.reach()
    }

    #[post("/send-and-wait")]
    async fn send_and_wait(&self, ctx: &Ctx, ending: Ending) -> Answer<()> {
        Self::send_and_mark(ctx)?;
        ctx.sleep(MOMENT).await;
        ending.reach()
    }

    /// Sets the platform's automatic answer to `"ping"`.
    #[post("/answer-pings")]
    fn answer_pings(&self, ctx: &Ctx, with: String, ending: Ending) -> Answer<()> {
        let pair = (r#""ping""#, with.as_str());
        ctx.sockets::<i64>().set_automatic_response(Some(pair))?;
        ending.reach()
    }

    fn close_all(ctx: &Ctx) -> Result<(), SocketError> {
        for socket in ctx.sockets::<i64>().all() {
            socket.close(4_000, "closed")?;
            assert!(socket.send("after the close").is_err());
        }
        Ok(())
    }

    #[post("/close")]
    fn close(&self, ctx: &Ctx, ending: Ending) -> Answer<()> {
        Self::close_all(ctx)?;
        ending.reach()
    }

    #[post("/close-and-wait")]
    async fn close_and_wait(&self, ctx: &Ctx, ending: Ending) -> Answer<()> {
        Self::close_all(ctx)?;
        ctx.sleep(MOMENT).await;
        ending.reach()
    }

    #[rpc]
    fn count_up(&mut self) -> i64 {
        self.field += 1;
        self.field
    }

    /// Makes a call without waiting for its answer, and a call in the background.
    fn call_other(ctx: &Ctx, other: &str) {
        let other = ctx.objects::<Self>().named(other);
        let call = other.count_up();
        ctx.wait_until(async move {
            // The other object shows whether it arrived.
            let _ = call.await;
            let _ = other.count_up().await;
        });
    }

    #[post("/call")]
    fn call(&self, ctx: &Ctx, other: &str, ending: Ending) -> Answer<()> {
        Self::call_other(ctx, other);
        ending.reach()
    }

    #[post("/call-and-wait")]
    async fn call_and_wait(&self, ctx: &Ctx, other: String, ending: Ending) -> Answer<()> {
        Self::call_other(ctx, &other);
        ctx.sleep(MOMENT).await;
        ending.reach()
    }
}
