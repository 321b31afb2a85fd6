#![deny(unused_must_use)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn value(&self) -> Result<i64, Error> {
        Ok(self.value)
    }
}

async fn caller(env: Env) {
    let counter = env.objects::<Counter>().named("a");
    counter.value();
}

fn main() {
    let _ = caller;
}
