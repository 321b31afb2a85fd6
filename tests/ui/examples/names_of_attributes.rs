//! Outside objects the names of the attributes are available to users, for derives, macros,
//! functions and types.
#![deny(warnings)]
#![forbid(unused_imports)]

use anchorhold::prelude::*;
use log::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize, thiserror::Error)]
#[error(transparent)]
struct Unknown(#[from] Mishap);

#[derive(Debug, Serialize, Deserialize, thiserror::Error)]
enum Mishap {
    #[error("nothing under {0}")]
    Missing(u64),
}

impl ObjectError for Unknown {}

macro_rules! get {
    ($map:expr, $key:expr) => {
        $map.get(&$key)
    };
}

mod own {
    macro_rules! body {
        () => {
            "<body></body>"
        };
    }
    pub(crate) use body;
}

fn message() -> &'static str {
    own::body!()
}

struct Query {
    stored: u64,
    text: Option<String>,
}

#[durable_object]
struct Index {
    memory: u64,
    #[memory]
    query: u64,
    #[stored(default = 5)]
    stored: u64,
    rpc: StoredMap<u64, String>,
}

#[durable_object]
impl Index {
    #[get("/{body}")]
    fn get(&self, body: u64, query: Option<String>) -> Result<String, Unknown> {
        let query = Query {
            stored: self.stored + self.query + self.memory,
            text: query,
        };
        error!("{body} {:?} {}", query.text, message());
        match get!(self.rpc, query.stored) {
            Ok(Some(found)) => Ok(found),
            _ => Err(Mishap::Missing(body).into()),
        }
    }

    #[post("/")]
    fn body(&mut self, #[body] body: u64) {
        self.stored = body;
    }
}

fn main() {}
