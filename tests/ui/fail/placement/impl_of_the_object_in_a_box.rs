#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Box<Counter> {
    #[rpc]
    fn value(&self) -> i64 {
        self.value
    }
}

async fn caller(env: Env) {
    let counter = env.objects::<Counter>().named("a");
    let _ = counter.value().await;
}

fn main() {}
