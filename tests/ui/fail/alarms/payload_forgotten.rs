#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn start(&mut self, ctx: &Ctx) {
        let _ = Self::schedules(ctx).remind();
    }

    #[alarm]
    fn remind(&mut self, name: String) {}
}

async fn caller(env: Env) {
    let counter = env.objects::<Counter>().named("a");
    let _ = counter.start().await;
}

fn main() {}
