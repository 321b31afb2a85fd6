#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn value(&self) -> i64 {
        self.value
    }
}

#[durable_object]
struct Room {}

#[durable_object]
impl Room {}

fn counter(env: Env) -> CounterStub {
    env.objects::<Room>().named("a")
}

fn main() {}
