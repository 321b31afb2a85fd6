//! The type itself decides what it is, under any name.
#![deny(warnings)]

use anchorhold::prelude::*;
use serde::{Deserialize, Serialize};

type Answer<T> = Result<T, Error>;
type Done = Result<(), Error>;
type Joined = Accept<String>;
type Peer = Socket<String>;
type Context = Ctx;
type Upload = Request;
type Page = Response;
type Ended = CloseEvent;
type Failed = SocketError;
type Text = String;
type Bytes = Vec<u8>;

/// A game of life, whose cells have no interior.
#[derive(Serialize, Deserialize, Default, Clone, Copy)]
pub struct Cell {
    alive: bool,
}

#[durable_object]
pub struct Counter {
    value: i64,
    cells: Vec<Cell>,
    named: Text,
    log: StoredLog<i64, LOG_BOUND>,
}

const LOG_BOUND: u64 = 100;

#[durable_object]
impl Counter {
    #[init]
    fn start(&mut self) -> Done {
        let _ = &self.log;
        self.cells.push(Cell { alive: true });
        Ok(())
    }

    #[rpc]
    #[post("/withdraw")]
    fn withdraw(&mut self, amount: i64) -> Answer<i64> {
        self.value -= amount;
        if self.value < 0 {
            return Err(Error::conflict("insufficient", "not that much there"));
        }
        Ok(self.value)
    }

    #[rpc]
    #[delete("/")]
    fn reset(&mut self, context: &Context) -> Done {
        let _ = context.now();
        self.value = 0;
        Ok(())
    }

    #[rpc]
    fn alive(&self) -> Vec<Cell> {
        self.cells
            .iter()
            .copied()
            .filter(|cell| cell.alive)
            .collect()
    }

    #[put("/{name}")]
    fn upload(&mut self, name: Text, upload: Upload) -> Page {
        let _ = upload;
        self.named = name;
        Response::empty(204)
    }

    #[alarm]
    fn sweep(&mut self) -> Done {
        Ok(())
    }

    #[websocket("/live")]
    fn join(&self, user: String) -> Joined {
        Accept::new(user)
    }

    #[websocket("/other")]
    fn join_other(&self, user: String) -> Answer<Joined> {
        Ok(Accept::new(user))
    }

    #[message(text)]
    fn said(&mut self, context: &Context, peer: &Peer, text: Text) -> Done {
        let _ = (context, peer);
        self.named = text;
        Ok(())
    }

    #[message(binary)]
    fn drew(&mut self, bytes: Bytes) {
        let _ = bytes;
    }

    #[close]
    fn left(&mut self, peer: &Peer, ended: Ended) {
        let _ = (peer, ended);
    }

    #[error]
    fn broke(&mut self, failed: Failed) {
        let _ = failed;
    }
}

pub async fn caller(env: &Env) -> Result<i64, CallError<Error>> {
    let counter = env.objects::<Counter>().named("a");
    let _: Result<(), CallError<Error>> = counter.reset().await;
    let _: Result<Vec<Cell>, CallError> = counter.alive().await;
    counter.withdraw(5).await
}

fn main() {}
