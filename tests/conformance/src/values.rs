//! Values of types that JSON, a query string or JavaScript represents differently from Rust.

use std::collections::{BTreeMap, HashMap};

use anchorhold::prelude::*;
use serde::{Deserialize, Serialize};

/// A key that is text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Level {
    Low,
    High,
}

/// Values whose form in JSON is not that of another type.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Values {
    large: u128,
    small: i128,
    counts: HashMap<u64, String>,
    flags: BTreeMap<bool, i8>,
    levels: BTreeMap<Level, f64>,
}

/// What a query string is decoded into.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Search {
    #[serde(default)]
    tags: Vec<String>,
    pages: Option<Vec<u8>>,
    on: Option<bool>,
    by: Option<f64>,
}

/// Returns and keeps values.
#[durable_object]
pub struct ValueProbe {
    kept: Values,
    ratio: f64,
}

#[durable_object]
impl ValueProbe {
    #[put("/values")]
    fn keep(&mut self, #[body] values: Values) -> Values {
        self.kept = values;
        self.kept.clone()
    }

    #[rpc]
    #[get("/values")]
    fn values(&self) -> Values {
        self.kept.clone()
    }

    #[rpc]
    fn echo(&self, values: Values, large: u128, counts: HashMap<u64, String>) -> Values {
        Values {
            large,
            counts,
            ..values
        }
    }

    #[get("/by-rpc")]
    async fn by_rpc(&self, ctx: &Ctx) -> Result<Values, Error> {
        let other = ctx.objects::<Self>().named("values-other");
        let Values { large, counts, .. } = self.kept.clone();
        Ok(other.echo(self.kept.clone(), large, counts).await?)
    }

    #[post("/named")]
    fn named(&self, large: u128, counts: HashMap<u64, String>) -> Values {
        Values {
            large,
            counts,
            ..Values::default()
        }
    }

    #[get("/integers/{large}")]
    fn integers(&self, large: u128, small: i128) -> (u128, i128) {
        (large, small)
    }

    #[get("/search")]
    fn search(&self, #[query] search: Search) -> Search {
        search
    }

    #[get("/one")]
    fn one(&self, by: f64, on: Option<bool>) -> (f64, Option<bool>) {
        (by, on)
    }

    #[post("/divide")]
    fn divide(&mut self, by: f64) {
        self.ratio = 1.0 / by;
    }

    #[get("/ratio")]
    fn ratio(&self) -> f64 {
        self.ratio
    }

    #[get("/quotient")]
    fn quotient(&self, by: f64) -> BTreeMap<String, f64> {
        BTreeMap::from([("quotient".to_owned(), 1.0 / by)])
    }

    #[get("/response")]
    fn response(&self, by: f64) -> Result<Response, Error> {
        Response::json(200, &self.quotient(by))
    }

    #[get("/booleans")]
    fn booleans(&self, ctx: &Ctx) -> Result<Vec<(bool, bool, Option<bool>)>, StorageError> {
        ctx.storage().sql().query(
            "SELECT 1 = 1, 0, NULL UNION ALL SELECT ?, ?, ?",
            (true, false, true),
        )
    }
}
