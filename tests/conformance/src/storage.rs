//! Storage and SQL, driven by scripts. A case lists the operations, and the probe reports the
//! result of each.

use anchorhold::prelude::*;
use anchorhold::{List, SqlValue, Storage};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// One operation of a script.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Step {
    Get {
        key: String,
    },
    GetMany {
        keys: Vec<String>,
    },
    Put {
        key: String,
        value: Value,
    },
    /// Stores a text of this many bytes, which a request's body could not contain.
    PutText {
        key: String,
        bytes: usize,
    },
    PutMany {
        entries: Vec<(String, Value)>,
    },
    Delete {
        key: String,
    },
    DeleteMany {
        keys: Vec<String>,
    },
    List(Listing),
    DeleteAll,
    /// Runs the steps in a transaction. Rolls it back unless told to keep it.
    Transaction {
        steps: Vec<Step>,
        keep: bool,
    },
    Sql {
        statement: String,
        parameters: Vec<Value>,
    },
}

/// The options of a listing.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Listing {
    pub start: Option<String>,
    pub start_after: Option<String>,
    pub end: Option<String>,
    pub prefix: Option<String>,
    pub reverse: bool,
    pub limit: Option<usize>,
}

impl Listing {
    fn options(self) -> List {
        let mut list = List::all();
        if let Some(key) = self.start {
            list = list.start(key);
        }
        if let Some(key) = self.start_after {
            list = list.start_after(key);
        }
        if let Some(key) = self.end {
            list = list.end(key);
        }
        if let Some(prefix) = self.prefix {
            list = list.prefix(prefix);
        }
        if let Some(limit) = self.limit {
            list = list.limit(limit);
        }
        if self.reverse { list.reverse() } else { list }
    }
}

/// The result of one step.
pub type StepResult = Result<Value, StorageError>;

/// Runs scripts on its storage.
#[durable_object(migrations = ["CREATE TABLE migrated (at INTEGER); INSERT INTO migrated VALUES (1)"])]
pub struct StorageProbe {
    field: i64,
}

#[durable_object]
impl StorageProbe {
    #[post("/run")]
    fn run(&self, ctx: &Ctx, #[body] script: Vec<Step>) -> Vec<StepResult> {
        script
            .into_iter()
            .map(|step| run(&ctx.storage(), step))
            .collect()
    }

    #[put("/field")]
    fn set_field(&mut self, value: i64) {
        self.field = value;
    }

    #[get("/field")]
    fn field(&self) -> i64 {
        self.field
    }
}

pub(crate) fn run(storage: &Storage, step: Step) -> StepResult {
    match step {
        Step::Get { key } => storage.get::<Value>(&key).map(|found| json!(found)),
        Step::GetMany { keys } => storage
            .get_many::<Value>(&borrowed(&keys))
            .map(|found| json!(found)),
        Step::Put { key, value } => storage.put(&key, &value).map(|()| Value::Null),
        Step::PutText { key, bytes } => storage.put(&key, &"x".repeat(bytes)).map(|()| Value::Null),
        Step::PutMany { entries } => {
            let entries: Vec<_> = entries
                .iter()
                .map(|(key, value)| (key.as_str(), value))
                .collect();
            storage.put_many(&entries).map(|()| Value::Null)
        }
        Step::Delete { key } => storage.delete(&key).map(|existed| json!(existed)),
        Step::DeleteMany { keys } => storage
            .delete_many(&borrowed(&keys))
            .map(|count| json!(count)),
        Step::List(listing) => {
            let entries = storage.list::<Value>(&listing.options())?;
            Ok(json!(
                entries.into_iter().map(|(key, _)| key).collect::<Vec<_>>()
            ))
        }
        Step::DeleteAll => storage.delete_all().map(|()| Value::Null),
        Step::Transaction { steps, keep } => storage.transaction(|inside| {
            let results: Vec<_> = steps.into_iter().map(|step| run(inside, step)).collect();
            if keep {
                Ok(json!(results))
            } else {
                Err(StorageError::Usage("rolled back".to_owned()))
            }
        }),
        Step::Sql {
            statement,
            parameters,
        } => {
            let parameters: Vec<_> = parameters.into_iter().map(parameter).collect();
            let rows = storage
                .sql()
                .query::<Vec<SqlValue>>(&statement, parameters)?;
            let rows = rows
                .into_iter()
                .map(|row| row.into_iter().map(column).collect::<Vec<_>>());
            Ok(json!(rows.collect::<Vec<_>>()))
        }
    }
}

fn borrowed(keys: &[String]) -> Vec<&str> {
    keys.iter().map(String::as_str).collect()
}

/// Converts a parameter. An array represents a blob.
fn parameter(value: Value) -> SqlValue {
    match value {
        Value::Null => SqlValue::Null,
        Value::Bool(truth) => truth.into(),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => integer.into(),
            None => number.as_f64().into(),
        },
        Value::String(text) => text.into(),
        Value::Array(bytes) => bytes
            .iter()
            .filter_map(Value::as_u64)
            .filter_map(|byte| u8::try_from(byte).ok())
            .collect::<Vec<_>>()
            .into(),
        Value::Object(_) => SqlValue::Null,
    }
}

pub(crate) fn column(value: SqlValue) -> Value {
    match value {
        SqlValue::Null => Value::Null,
        SqlValue::Integer(integer) => json!(integer),
        SqlValue::Real(real) => json!(real),
        SqlValue::Text(text) => json!(text),
        SqlValue::Blob(bytes) => json!(bytes),
    }
}
