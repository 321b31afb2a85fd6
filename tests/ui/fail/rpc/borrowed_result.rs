#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    name: String,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn name(&self) -> &String {
        &self.name
    }
}

async fn caller(env: Env) {
    let counter = env.objects::<Counter>().named("a");
    let _ = counter.name().await;
}

fn main() {}
