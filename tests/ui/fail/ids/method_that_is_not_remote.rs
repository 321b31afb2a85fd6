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
        self.raise(by);
    }

    fn raise(&mut self, by: i64) {
        self.value += by;
    }
}

async fn caller(env: Env) {
    let _ = env.objects::<Counter>().named("a").raise(5).await;
}

fn main() {}
