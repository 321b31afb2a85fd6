#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn increment(&mut self, by: i64) {
        self.add(by);
    }

    fn add(&mut self, by: i64) {
        self.value += by;
    }
}

async fn caller(env: Env) {
    let _ = env.objects::<Counter>().named("a").add(5).await;
}

fn main() {}
