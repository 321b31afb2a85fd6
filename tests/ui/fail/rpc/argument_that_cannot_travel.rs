#![allow(unused)]

use anchorhold::prelude::*;

struct Report {
    text: String,
}

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn add(&mut self, report: Report) {}
}

async fn caller(env: Env) {
    let counter = env.objects::<Counter>().named("a");
    let _ = counter.add(Report { text: String::new() }).await;
}

fn main() {}
