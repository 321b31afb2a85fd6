//! Common names remain available to the user.
#![deny(warnings)]

use anchorhold::prelude::{Env, durable_object};

mod wire {
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize)]
    pub struct Request {
        pub by: i64,
    }

    #[derive(Serialize, Deserialize)]
    pub struct Response {
        pub value: i64,
    }

    #[derive(Serialize, Deserialize)]
    pub struct Ctx;

    #[derive(Serialize, Deserialize)]
    pub struct Accept;

    #[derive(Serialize, Deserialize)]
    pub struct Socket;

    #[derive(Serialize, Deserialize)]
    pub struct AlarmRun;

    #[derive(Serialize, Deserialize)]
    pub enum Result<T, E> {
        Yes(T),
        No(E),
    }
}

#[durable_object]
pub struct Counter {
    value: i64,
}

#[durable_object]
impl Counter {
    #[rpc]
    #[post("/add")]
    fn add(&mut self, request: wire::Request) -> wire::Response {
        self.value += request.by;
        wire::Response { value: self.value }
    }

    #[rpc]
    fn odd(&self, ctx: wire::Ctx, socket: wire::Socket, run: wire::AlarmRun) -> wire::Accept {
        let _ = (ctx, socket, run);
        wire::Accept
    }

    #[rpc]
    fn either(&self) -> wire::Result<i64, String> {
        if self.value == 0 {
            return wire::Result::No(String::new());
        }
        wire::Result::Yes(self.value)
    }
}

pub async fn caller(env: &Env) {
    let counter = env.objects::<Counter>().named("a");
    let answer = counter.add(wire::Request { by: 5 }).await;
    let _ = answer.map(|response| response.value);
    let _ = matches!(counter.either().await, Ok(wire::Result::Yes(5)));
}

fn main() {}
