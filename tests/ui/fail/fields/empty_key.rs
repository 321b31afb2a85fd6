#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    #[stored(key = "")]
    value: i64,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn touch(&mut self) {}
}

async fn caller(env: Env) {
    let _ = env.objects::<Counter>().named("a").touch().await;
}

fn main() {}
