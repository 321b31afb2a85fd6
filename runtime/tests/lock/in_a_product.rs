//! The section "In a product" of the lock's page.

use std::time::Duration;

use anchorhold::objects::Lock;
use anchorhold::objects::lock::{Acquire, Fence, Held, StaleToken};
use anchorhold::prelude::*;

/// The invoices of an account, which only the lock's holder may write.
#[durable_object]
struct Invoices {
    fence: Fence,
    sent: Vec<String>,
}

#[durable_object]
impl Invoices {
    #[rpc]
    fn add(&mut self, token: u64, month: String) -> Result<(), StaleToken> {
        self.fence.admit(token)?;
        self.sent.push(month);
        Ok(())
    }

    #[rpc]
    fn sent(&self) -> Vec<String> {
        self.sent.clone()
    }
}

#[durable_object]
struct Billing {}

#[durable_object]
impl Billing {
    #[rpc]
    async fn bill(&self, ctx: &Ctx, account: String, month: String) -> Result<(), Error> {
        let lock = ctx.objects::<Lock>().named(&account);
        let invoices = ctx.objects::<Invoices>().named(&account);
        let request =
            Acquire::new("billing", Duration::from_secs(10)).wait(Duration::from_secs(300));
        Held::run(ctx, lock, request, async |token| {
            // … a minute of work, during which the lease is renewed …
            ctx.sleep(Duration::from_secs(60)).await;
            invoices.add(token, month).await
        })
        .await??;
        Ok(())
    }
}

#[anchorhold::test]
async fn jobs_under_the_lock_follow_each_other(sim: Sim) {
    let billing = sim.objects::<Billing>().named("b");
    let jobs: Vec<_> = ["may", "june"]
        .into_iter()
        .map(|month| billing.bill("ann".to_owned(), month.to_owned()))
        .collect();
    let start = sim.now();
    for job in jobs {
        job.await.unwrap();
    }
    assert!(sim.now() - start >= Duration::from_secs(120));
    let sent = sim.objects::<Invoices>().named("ann").sent().await.unwrap();
    assert_eq!(sent, ["may", "june"]);
    assert!(
        !sim.objects::<Lock>()
            .named("ann")
            .status()
            .await
            .unwrap()
            .held
    );
}

/// An object that gives up its work, and drops the lease with it.
#[durable_object]
struct Hasty {}

#[durable_object]
impl Hasty {
    #[rpc]
    async fn hurry(&self, ctx: &Ctx) -> Result<bool, Error> {
        let lock = ctx.objects::<Lock>().named("a");
        let request = Acquire::new("hasty", Duration::from_secs(600));
        let work = Held::run(ctx, lock, request, async |_| {
            ctx.sleep(Duration::from_secs(60)).await
        });
        Ok(ctx.timeout(Duration::from_secs(1), work).await.is_some())
    }
}

#[anchorhold::test]
async fn a_dropped_lease_is_released(sim: Sim) {
    let hasty = sim.objects::<Hasty>().named("h");
    assert!(!hasty.hurry().await.unwrap());
    sim.advance(Duration::from_secs(1)).await;
    assert!(
        !sim.objects::<Lock>()
            .named("a")
            .status()
            .await
            .unwrap()
            .held
    );
}
