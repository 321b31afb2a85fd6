#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[rpc]
    #[post("/items", status = "201")]
    fn add(&mut self, name: String) {}
}

async fn caller(env: Env) {
    let counter = env.objects::<Counter>().named("a");
    let _ = counter.add(String::new()).await;
}

fn main() {}
