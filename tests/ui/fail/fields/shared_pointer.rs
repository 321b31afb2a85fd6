#![allow(unused)]

use anchorhold::prelude::*;
use std::sync::{Arc, Mutex};

#[durable_object]
struct Counter {
    names: Arc<Mutex<Vec<String>>>,
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
