//! A crate's own `Result`, with and without arguments.
#![deny(warnings)]

use anchorhold::prelude::*;

type Result<T = (), E = Error> = core::result::Result<T, E>;

#[durable_object]
pub struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn reset(&mut self) -> Result {
        self.value = 0;
        Err(Error::forbidden("reset is not allowed"))
    }

    #[rpc]
    fn value(&self) -> Result<i64> {
        Ok(self.value)
    }
}

pub async fn caller(env: &Env) -> Result<i64, CallError<Error>> {
    let counter = env.objects::<Counter>().named("a");
    counter.reset().await?;
    counter.value().await
}

fn main() {}
