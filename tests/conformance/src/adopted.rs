//! An object whose data another program wrote: a class in JavaScript, or one written with
//! workers-rs.

use std::collections::BTreeMap;

use anchorhold::prelude::*;
use serde::{Deserialize, Serialize};

/// A value with parts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    pub name: String,
    #[serde(default)]
    pub age: Option<u8>,
    #[serde(default)]
    pub tags: Vec<String>,
}

/// The fields of an adopted object.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Contents {
    pub count: i64,
    pub ratio: f64,
    pub label: String,
    pub flag: bool,
    pub maybe: Option<i64>,
    pub list: Vec<i64>,
    pub profile: Profile,
    pub by_name: BTreeMap<String, i64>,
    pub bytes: Vec<u8>,
}

/// Adopts what is stored under its keys.
#[durable_object]
pub struct Adopted {
    count: i64,
    ratio: f64,
    label: String,
    flag: bool,
    maybe: Option<i64>,
    list: Vec<i64>,
    profile: Profile,
    by_name: BTreeMap<String, i64>,
    bytes: Vec<u8>,
}

#[durable_object]
impl Adopted {
    #[get("/")]
    fn contents(&self) -> Contents {
        Contents {
            count: self.count,
            ratio: self.ratio,
            label: self.label.clone(),
            flag: self.flag,
            maybe: self.maybe,
            list: self.list.clone(),
            profile: self.profile.clone(),
            by_name: self.by_name.clone(),
            bytes: self.bytes.clone(),
        }
    }

    #[post("/count")]
    fn add(&mut self, by: i64) -> i64 {
        self.count += by;
        self.list.push(by);
        self.count
    }

    /// Changes everything, and fails.
    #[post("/fail")]
    fn fail(&mut self) -> Result<(), Error> {
        self.count += 1;
        self.label.push('!');
        self.list.clear();
        Err(Error::conflict("as_told", "the turn fails"))
    }

    #[get("/key")]
    fn key(&self, ctx: &Ctx, key: &str) -> Result<Option<serde_json::Value>, StorageError> {
        ctx.storage().get(key)
    }

    #[get("/keys")]
    fn keys(
        &self,
        ctx: &Ctx,
        prefix: &str,
    ) -> Result<Vec<(String, serde_json::Value)>, StorageError> {
        ctx.storage().list(&anchorhold::List::all().prefix(prefix))
    }
}
