//! Types and aliases of the user's that have names of the standard library and of anchorhold are
//! not confused with those.

use anchorhold::prelude::*;

mod own {
    use serde::{Deserialize, Serialize};

    pub type Option<T> = Result<T, anchorhold::Error>;
    pub type Vec = anchorhold::Request;
    pub type String = anchorhold::Ctx;

    #[derive(Default, Serialize, Deserialize)]
    pub struct StoredMap;

    #[derive(Default, Serialize, Deserialize)]
    pub struct StoredLog<T>(T);

    #[derive(Default, Serialize, Deserialize)]
    pub struct Cow<T>(pub T);

    #[derive(Default, Serialize, Deserialize)]
    pub struct HashMap(pub u64);
}

const LEN: usize = 2;

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Bounded<const LEN: usize>(u64);

#[durable_object]
pub struct Counter {
    value: i64,
    map: own::StoredMap,
    maps: Vec<own::StoredMap>,
    bounded: Bounded<LEN>,
    #[memory]
    log: own::StoredLog<i64>,
}

#[durable_object]
impl Counter {
    /// An alias of `Result` under another name.
    #[rpc]
    #[post("/increment")]
    fn increment(&mut self) -> own::Option<i64> {
        self.value += 1;
        Ok(self.value)
    }

    #[post("/raw")]
    fn raw(&self, request: own::Vec) -> String {
        request.path().into_owned()
    }

    #[get("/count/{of}")]
    fn count(&self, ctx: &own::String, of: own::HashMap) -> u64 {
        let _ = (ctx, &self.map, &self.maps, &self.log, &self.bounded.0);
        of.0
    }

    #[rpc]
    fn own_cow(&self, cow: own::Cow<i64>) -> i64 {
        cow.0
    }
}

/// The stub recognises it as a `Result`.
pub async fn increment(counter: CounterStub) -> Result<i64, CallError<Error>> {
    counter.increment().await
}

fn main() {}
