#![allow(unused)]

use anchorhold::prelude::*;

#[durable_object]
struct Votes {
    by_poll_and_user: StoredMap<(u64, String), i32>,
}

#[durable_object]
impl Votes {
    #[rpc]
    fn vote(&mut self, poll: u64, user: String) -> Result<(), Error> {
        self.by_poll_and_user.insert(&(poll, user), &1)?;
        Ok(())
    }
}

fn main() {}
