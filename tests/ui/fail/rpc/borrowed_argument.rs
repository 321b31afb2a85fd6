#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn add(&mut self, names: &Vec<String>) {}
}

async fn caller(env: Env) {
    let counter = env.objects::<Counter>().named("a");
    let _ = counter.add(&Vec::new()).await;
}

fn main() {}
