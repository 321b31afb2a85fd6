#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn get_value(&self) -> i64 {
        self.value
    }

    #[rpc]
    fn get__value(&self) -> i64 {
        self.value
    }
}

async fn caller(env: Env) {
    let counter = env.objects::<Counter>().named("a");
    let _ = counter.get_value().await;
}

fn main() {}
