#![allow(unused)]

use anchorhold::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[durable_object]
struct Counter {
    first_value: i64,
}

#[durable_object]
impl Counter {}

fn main() {}
