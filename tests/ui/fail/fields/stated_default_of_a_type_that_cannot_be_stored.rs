#![allow(unused)]

use anchorhold::prelude::*;

struct Report;

#[durable_object]
struct Counter {
    #[stored(default = Report)]
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
