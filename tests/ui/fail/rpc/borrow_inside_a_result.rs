#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    name: String,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn names(&self) -> Vec<&str> {
        vec![&self.name]
    }
}

async fn caller(env: Env) {
    let counter = env.objects::<Counter>().named("a");
    let _ = counter.names().await;
}

fn main() {}
