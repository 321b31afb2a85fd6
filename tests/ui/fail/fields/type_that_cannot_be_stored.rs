#![allow(unused)]

use anchorhold::prelude::*;

#[derive(Default)]
struct Report {
    text: String,
}

#[durable_object]
struct Counter {
    report: Report,
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
