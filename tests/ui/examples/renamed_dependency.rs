//! The crate under another name, and through another crate.
#![deny(warnings)]

use anchorhold as ah;

pub mod framework {
    pub use ::anchorhold;
}

use ah::prelude::*;

#[durable_object(crate = crate::framework::anchorhold)]
pub struct Counter {
    value: i64,
    #[memory]
    reads: u64,
}

#[durable_object(crate = crate::framework::anchorhold)]
impl Counter {
    #[crate::framework::anchorhold::rpc]
    #[anchorhold::prelude::get("/")]
    fn value(&self) -> Result<i64, Error> {
        let _ = self.reads;
        Ok(self.value)
    }

    #[alarm]
    fn sweep(&mut self, ctx: &Ctx) {
        let _ = Self::schedules(ctx);
    }
}

#[ah::app(crate = ah)]
fn app() -> App {
    App::new().mount::<Counter>("/counters/{name}")
}

#[ah::test(crate = ah)]
async fn counts(sim: Sim) {
    let _ = sim.objects::<Counter>().named("a").value().await;
}

fn main() {
    let _ = app;
}
