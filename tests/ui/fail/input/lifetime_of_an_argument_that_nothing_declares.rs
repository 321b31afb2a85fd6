#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    name: String,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn rename(&mut self, name: &'a str) {}
}

async fn caller(env: Env) {
    let counter = env.objects::<Counter>().named("a");
    let _ = counter.rename("b").await;
}

fn main() {}
