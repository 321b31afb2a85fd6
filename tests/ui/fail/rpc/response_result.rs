#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[rpc]
    #[get("/page")]
    fn page(&self) -> Response {
        todo!()
    }
}

async fn caller(env: Env) {
    let counter = env.objects::<Counter>().named("a");
    let _ = counter.page().await;
}

fn main() {}
