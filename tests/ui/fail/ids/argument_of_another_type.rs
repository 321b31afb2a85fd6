#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn increment(&mut self, by: i64) -> i64 {
        self.value += by;
        self.value
    }
}

async fn caller(env: Env) {
    let _ = env.objects::<Counter>().named("a").increment("five").await;
}

fn main() {}
