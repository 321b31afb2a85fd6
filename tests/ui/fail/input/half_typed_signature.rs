#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn add(&mut self, by) -> i64 {
        self.value
    }

    #[rpc]
    fn other(&self) -> i64 {
        self.value
    }
}

async fn caller(env: Env) {
    let _ = env.objects::<Counter>().named("a").other().await;
}

fn main() {}
