//! One object calls another. A call is a turn of the other object with a commit of its own, so what it
//! did stays done when the caller fails later: the caller gives it back. Should the host die in the
//! middle, nothing is given back. Where that matters, schedule a run before the call, which looks for
//! what was left half done. A changed field does not do: it is stored when the turn ends.
//!
//! ```sh
//! cargo run -p examples --example calling_another_object
//! curl -d '{"count": 2}' localhost:8787/stocks/tea/fill
//! curl -d '{"goods": ["tea", "tea"]}' localhost:8787/orders/1/place
//! curl -i -d '{"goods": ["tea"]}' localhost:8787/orders/2/place
//! ```
#![cfg_attr(target_arch = "wasm32", no_main)]

use anchorhold::prelude::*;

/// How many there are of one good.
#[durable_object]
struct Stock {
    count: u64,
}

#[durable_object]
impl Stock {
    #[rpc]
    #[post("/fill")]
    fn fill(&mut self, count: u64) -> u64 {
        self.count = self.count.saturating_add(count);
        self.count
    }

    #[rpc]
    fn take(&mut self, ctx: &Ctx) -> Result<(), Error> {
        self.count = self.count.checked_sub(1).ok_or_else(|| {
            let good = ctx.name().unwrap_or_default();
            Error::conflict("sold_out", format!("{good} is sold out"))
        })?;
        Ok(())
    }

    #[rpc]
    #[get("/")]
    fn count(&self) -> u64 {
        self.count
    }
}

#[durable_object]
struct Order {
    placed: Vec<String>,
}

#[durable_object]
impl Order {
    /// `async fn(&mut self)` has the order for itself until it ends, awaits included. `?` passes on the
    /// other object's error with its status and code, and what prevented a call.
    #[rpc]
    #[post("/place")]
    async fn place(&mut self, ctx: &Ctx, goods: Vec<String>) -> Result<usize, Error> {
        if !self.placed.is_empty() {
            return Err(Error::conflict("placed", "an order is placed once"));
        }
        for good in goods {
            let taken = ctx.objects::<Stock>().named(&good).take().await;
            if let Err(error) = taken {
                // An error takes back this object's fields, not what the others have done.
                self.give_back(ctx).await?;
                return Err(error.into());
            }
            self.placed.push(good);
        }
        Ok(self.placed.len())
    }

    #[rpc]
    #[get("/")]
    fn placed(&self) -> Vec<String> {
        self.placed.clone()
    }

    async fn give_back(&self, ctx: &Ctx) -> Result<(), Error> {
        for good in &self.placed {
            ctx.objects::<Stock>().named(good).fill(1).await?;
        }
        Ok(())
    }
}

#[anchorhold::app]
fn app() -> App {
    App::new()
        .mount::<Stock>("/stocks/{name}")
        .mount::<Order>("/orders/{name}")
}

#[cfg(not(target_arch = "wasm32"))]
fn main() -> std::process::ExitCode {
    anchorhold::serve(app)
}

#[anchorhold::test]
async fn an_order_takes_from_the_stocks(sim: Sim) {
    let tea = sim.objects::<Stock>().named("tea");
    tea.fill(3).await.unwrap();
    let order = sim.objects::<Order>().named("1");
    let goods = vec!["tea".to_owned(), "tea".to_owned()];
    assert_eq!(order.place(goods).await.unwrap(), 2);
    assert_eq!(tea.count().await.unwrap(), 1);
}

#[anchorhold::test]
async fn an_order_that_fails_leaves_everything_as_it_was(sim: Sim) {
    let tea = sim.objects::<Stock>().named("tea");
    tea.fill(1).await.unwrap();
    let order = sim.objects::<Order>().named("1");
    let goods = vec!["tea".to_owned(), "cake".to_owned()];
    let error = order.place(goods).await.unwrap_err();
    assert_eq!(
        error,
        CallError::Application(Error::conflict("sold_out", "cake is sold out"))
    );
    assert_eq!(tea.count().await.unwrap(), 1, "given back");
    assert!(order.placed().await.unwrap().is_empty(), "rolled back");
}
