#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    started: std::time::Instant,
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
