//! Raw identifiers, and names outside ASCII.
#![deny(warnings)]

use anchorhold::prelude::*;

#[durable_object]
struct Zähler {
    größe: i64,
    r#match: StoredMap<String, u8>,
}

#[durable_object(class = "Zaehler")]
impl Zähler {
    #[rpc]
    fn erhöhe(&mut self, größe: i64) -> i64 {
        self.größe += größe;
        self.größe
    }

    #[get("/{größe}/{while}")]
    fn r#loop(&self, größe: i64, r#while: String) -> Result<bool, Error> {
        Ok(größe == self.größe && self.r#match.get(&r#while)?.is_some())
    }

    #[alarm]
    fn r#move(&mut self, r#use: u8) {
        self.größe += i64::from(r#use);
    }

    #[rpc]
    fn r#async(&self, ctx: &Ctx) -> Result<bool, StorageError> {
        let schedules = Self::schedules(ctx);
        schedules
            .r#move(1)
            .after(std::time::Duration::from_secs(1))?;
        schedules.cancel_move("")
    }
}

#[anchorhold::app]
fn app() -> App {
    App::new().mount::<Zähler>("/zaehler/{name}")
}

async fn caller(stub: ZählerStub) -> Result<i64, CallError> {
    stub.erhöhe(1).await
}

fn main() {
    let _ = (app(), caller);
}
