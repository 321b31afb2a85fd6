//! An object that carries out a plan, so that random plans can be run on both hosts and compared.

mod acts;
mod perform;

use std::cell::Cell;
use std::rc::Rc;

use anchorhold::prelude::*;
use anchorhold::{List, SqlValue};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use acts::{Act, Ending, Recipients, Ring, Spoken, Turn, Way, When};
use perform::Performance;

/// The keys of runs that are due at once or soon.
pub const SOON: [&str; 3] = ["soon-0", "soon-1", "soon-2"];
/// The keys of runs in the distant future.
pub const FAR: [&str; 3] = ["far", "", "\u{feff}far\u{10ffff}"];

/// The session of a socket.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Label {
    pub label: String,
    pub padding: String,
}

/// A socket's end, as the object received it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct SocketEnd {
    label: String,
    code: u16,
    reason: String,
    clean: bool,
}

/// Work in the background that is not finished.
#[derive(Clone, Default)]
struct Background(Rc<Cell<u32>>);

impl Background {
    fn begin(&self) -> Working {
        self.0.set(self.0.get() + 1);
        Working(self.clone())
    }
}

/// Counts as working until it is dropped.
struct Working(Background);

impl Drop for Working {
    fn drop(&mut self) {
        let count = &self.0.0;
        count.set(count.get() - 1);
    }
}

/// Carries out a plan, and reports the results.
#[durable_object(migrations = [
    "CREATE TABLE word (id INTEGER PRIMARY KEY, text TEXT UNIQUE, number NUMERIC CHECK (number <> 13));
     CREATE TABLE mention (word INTEGER REFERENCES word (id) DEFERRABLE INITIALLY DEFERRED)",
])]
pub struct Differential {
    number: i64,
    text: String,
    map: StoredMap<String, Value>,
    numbers: StoredMap<i64, f64>,
    log: StoredLog<Value, 5>,
    runs: Vec<Value>,
    ends: Vec<SocketEnd>,
    #[memory]
    remembered: u64,
    #[memory]
    background: Background,
}

#[durable_object]
impl Differential {
    #[rpc]
    #[post("/atomic")]
    fn atomic(&mut self, ctx: &Ctx, acts: Vec<Act>, ending: Ending) -> Result<Vec<Value>, Error> {
        Performance::mutable(self, ctx).all(acts, ending)
    }

    #[rpc]
    #[post("/look")]
    fn look(&self, ctx: &Ctx, acts: Vec<Act>, ending: Ending) -> Result<Vec<Value>, Error> {
        Performance::shared(self, ctx).all(acts, ending)
    }

    #[rpc]
    #[post("/exclusive")]
    async fn exclusive(
        &mut self,
        ctx: &Ctx,
        acts: Vec<Act>,
        ending: Ending,
    ) -> Result<Vec<Value>, Error> {
        Performance::mutable(self, ctx)
            .all_waiting(acts, ending)
            .await
    }

    #[rpc]
    #[post("/shared")]
    async fn shared(&self, ctx: &Ctx, acts: Vec<Act>, ending: Ending) -> Result<Vec<Value>, Error> {
        Performance::shared(self, ctx)
            .all_waiting(acts, ending)
            .await
    }

    #[alarm]
    fn ring(&mut self, ctx: &Ctx, ring: Ring, run: AlarmRun) -> Result<(), Error> {
        let results = Performance::mutable(self, ctx).all(ring.acts, Ending::Succeed)?;
        if run.retry_count < ring.failures {
            if ring.aborts {
                ctx.abort("as told");
            }
            return Err(Error::internal("as told"));
        }
        let (key, count) = (run.key, run.retry_count);
        self.runs
            .push(json!({ "key": key, "retries": count, "results": results }));
        Ok(())
    }

    #[websocket("/ws")]
    fn connect(
        &mut self,
        label: String,
        tags: Option<String>,
        padding: Option<usize>,
        refuse: Option<bool>,
    ) -> Result<Accept<Label>, Error> {
        self.number = self.number.wrapping_add(1);
        if refuse == Some(true) {
            return Err(Error::forbidden(format!("{label} is refused")));
        }
        let padding = "x".repeat(padding.unwrap_or(0));
        let accept = Accept::new(Label { label, padding });
        let tags = tags.unwrap_or_default();
        let tags = tags.split(',').filter(|tag| !tag.is_empty());
        Ok(tags.fold(accept, Accept::tag).greet("welcome"))
    }

    #[message]
    fn told(&mut self, ctx: &Ctx, socket: &Socket<Label>, spoken: Spoken) -> Result<(), Error> {
        let results = Performance::mutable(self, ctx).all(spoken.acts, spoken.ending)?;
        // The acts may have closed it. Its peer then sees that.
        let _ = socket.send(&json!({ "done": results }));
        Ok(())
    }

    #[message(binary)]
    fn bytes(&mut self, socket: &Socket<Label>, mut bytes: Vec<u8>) -> Result<(), Error> {
        self.log.push(&json!(bytes.len()))?;
        bytes.reverse();
        socket.send_bytes(&bytes)?;
        socket.send(&json!({ "done": bytes.len() }))?;
        Ok(())
    }

    /// A peer's reason contains the acts to perform.
    #[close]
    fn closed(&mut self, socket: &Socket<Label>, event: CloseEvent) -> Result<(), Error> {
        let label = socket.session()?.label;
        let reason = event.reason;
        let answer = reason
            .strip_prefix("answer ")
            .and_then(|code| code.parse().ok());
        if let Some(code) = answer {
            socket.close(code, "answered")?;
        }
        let fails = reason == "fail";
        self.ends.push(SocketEnd {
            label,
            code: event.code,
            reason,
            clean: event.clean,
        });
        if fails {
            return Err(Error::internal("as told"));
        }
        Ok(())
    }

    /// Marks a point in what the sockets receive.
    #[post("/fence")]
    fn fence(&self, ctx: &Ctx) -> Result<usize, SocketError> {
        ctx.sockets::<Label>().broadcast("fence")
    }

    /// Whether nothing happens automatically: no run is due soon, and no work is in the background.
    #[get("/settled")]
    fn settled(&self, ctx: &Ctx) -> Result<bool, StorageError> {
        for key in SOON {
            if Self::schedules(ctx).next_ring(key)?.is_some() {
                return Ok(false);
            }
        }
        Ok(self.background.0.get() == 0)
    }

    #[get("/ends")]
    fn ends(&self) -> usize {
        self.ends.len()
    }

    /// Returns everything that the object stores.
    #[get("/dump")]
    fn dump(&self, ctx: &Ctx) -> Result<Value, Error> {
        let storage = ctx.storage();
        let rows = |statement: &str| -> Result<Vec<Vec<Value>>, StorageError> {
            let rows = storage.sql().query::<Vec<SqlValue>>(statement, ())?;
            let rows = rows.into_iter();
            Ok(rows
                .map(|row| row.into_iter().map(crate::storage::column).collect())
                .collect())
        };
        let runs = FAR.map(|key| Self::schedules(ctx).next_ring(key).map_err(Error::from));
        Ok(json!({
            "fields": self.fields()?,
            "runs": self.runs,
            "ends": self.ends,
            "storage": storage.list::<Value>(&List::all())?,
            "words": rows("SELECT id, text, number, typeof(number) FROM word ORDER BY id")?,
            "mentions": rows("SELECT word FROM mention ORDER BY word")?,
            "tables": rows("SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_%' ESCAPE '\\' ORDER BY name")?,
            "due": runs.into_iter().collect::<Result<Vec<_>, _>>()?,
            "sockets": perform::sessions(ctx)?,
        }))
    }

    fn fields(&self) -> Result<Value, StorageError> {
        let indices = self.log.indices();
        Ok(json!({
            "number": self.number,
            "text": self.text,
            "map": self.map.entries(None, usize::MAX)?,
            "numbers": self.numbers.entries(None, usize::MAX)?,
            "log": self.log.newest(indices.clone(), usize::MAX)?,
            "next": indices.end,
        }))
    }

    #[get("/echo/{text}")]
    fn echo(
        &self,
        text: String,
        number: Option<i64>,
        real: Option<f64>,
        flag: Option<bool>,
    ) -> Value {
        json!({ "text": text, "number": number, "real": real, "flag": flag })
    }

    #[delete("/echo/{text}")]
    fn forget(&mut self, text: String, number: Option<u8>) -> Value {
        json!({ "text": text, "number": number })
    }

    #[post("/echo", status = 201)]
    fn echo_body(
        &mut self,
        text: String,
        number: Option<u64>,
        real: Option<f32>,
        list: Option<Vec<i8>>,
    ) -> Value {
        json!({ "text": text, "number": number, "real": real, "list": list })
    }

    #[put("/echo/{text}")]
    fn echo_whole(&mut self, text: String, #[body] body: Value) -> Value {
        json!({ "text": text, "body": body })
    }

    #[patch("/echo/{text}")]
    fn touch(&mut self, text: String) {
        self.text = text;
    }

    #[post("/raw")]
    async fn raw(&self, mut request: Request) -> Result<Response, Error> {
        let bytes = request.bytes().await?;
        let answer = json!({
            "method": request.method(),
            "path": request.path(),
            "query": request.query(),
            "content_type": request.header("content-type"),
            "told": request.header("x-told"),
            "bytes": bytes,
        });
        Ok(Response::json(200, &answer)?.with_header("x-told", "yes"))
    }

    #[get("/respond")]
    fn respond(&self, status: u16, name: Option<String>, value: Option<String>) -> Response {
        let response = Response::text(status, "a body");
        match (name, value) {
            (Some(name), Some(value)) => response.with_header(&name, &value),
            _ => response,
        }
    }
}
