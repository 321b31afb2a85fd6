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
    #[get("/report")]
    fn report(&self) -> Result<Report, Error> {
        Ok(Report { text: String::new() })
    }
}

async fn caller(env: Env) {
    let counter = env.objects::<Counter>().named("a");
    let _ = counter.report().await;
}

fn main() {}
