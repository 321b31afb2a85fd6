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

async fn caller(env: Env, room: ObjectId<Room>) {
    let _ = env.objects::<Counter>().id(&room).value().await;
}

fn main() {}
