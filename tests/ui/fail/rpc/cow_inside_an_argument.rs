#![allow(unused)]

use std::borrow::Cow;

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    name: String,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn name(&self, prefix: Option<Cow<str>>) -> String {
        self.name.clone()
    }
}

async fn caller(env: Env) {
    let counter = env.objects::<Counter>().named("a");
    let _ = counter.name(None).await;
}

fn main() {}
