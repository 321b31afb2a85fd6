#![allow(unused)]

use anchorhold::prelude::*;
use std::borrow::Cow;

#[durable_object]
struct Counter {
    name: String,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn name(&self) -> Cow<'a, str> {
        Cow::Borrowed(&self.name)
    }
}

async fn caller(env: Env) {
    let counter = env.objects::<Counter>().named("a");
    let _ = counter.name().await;
}

fn main() {}
