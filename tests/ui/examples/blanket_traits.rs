//! The user's traits for every type. Their methods and constants have the names of the runtime's
//! own.
#![deny(warnings)]
#![allow(dead_code, reason = "the methods are only in the way")]

use anchorhold::prelude::*;
use serde::{Deserialize, Serialize};

trait Everywhere: Sized {
    const CLASS: u8 = 0;
    const KEYS: u8 = 0;
    const KIND: u8 = 0;
    const IS_RESULT: u8 = 0;
    const IS_UNIT: u8 = 0;
    const MIGRATIONS: u8 = 0;
    const TEXT_MISFIT: u8 = 0;

    fn load(self) {}
    fn store(self) {}
    fn restore(self) {}
    fn starting_with(self) {}
    fn argument(self) {}
    fn body(self) {}
    fn query(self) {}
    fn text(self) {}
    fn binary(self) {}
    fn decode(self) {}
    fn push(self) {}
    fn reply(self) {}
    fn reply_output(self) {}
    fn call(self) {}
    fn call_fallible(self) {}
    fn schedule(self) {}
    fn core(self) {}
}

impl<T> Everywhere for T {}

#[derive(Serialize, Deserialize)]
struct Note {
    text: String,
}

#[durable_object]
struct Board {
    #[stored(default = Self::default().limit)]
    limit: u64,
    sizes: [u8; Self::KINDS],
    next: Option<ObjectId<Self>>,
}

impl Default for Board {
    fn default() -> Self {
        Self {
            limit: 5,
            sizes: [0; Self::KINDS],
            next: None,
        }
    }
}

#[durable_object]
impl Board {
    const KINDS: usize = 3;

    #[rpc]
    #[post("/notes")]
    fn add(&mut self, ctx: &Ctx, #[body] note: Note) -> Result<u64, StorageError> {
        let _ = (&self.sizes, &self.next);
        Self::schedules(ctx)
            .forget(note.text)
            .key("forget")
            .after(std::time::Duration::ZERO)?;
        Ok(self.limit)
    }

    #[rpc]
    fn name(&self, prefix: &str, bytes: &[u8]) -> String {
        format!("{prefix} {}", bytes.len())
    }

    #[rpc]
    fn clear(&mut self) {
        self.limit = 0;
    }

    #[get("/notes")]
    fn list(&self, #[query] note: Note) -> u64 {
        let _ = note;
        self.limit
    }

    #[alarm]
    fn forget(&mut self, text: String) {
        let _ = text;
    }

    #[websocket("/ws")]
    fn join(&self) -> Accept<u64> {
        Accept::new(self.limit)
    }

    #[message(text)]
    fn said(&mut self, text: &str) {
        let _ = text;
    }

    #[message(binary)]
    fn drew(&mut self, bytes: &[u8]) {
        let _ = bytes;
    }
}

fn main() {}
