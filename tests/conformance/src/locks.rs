//! A lock that another object holds, and what the lock protects.

use std::time::Duration;

use anchorhold::objects::Lock;
use anchorhold::objects::lock::{Acquire, Break, Broken, Fence, Held, StaleToken};
use anchorhold::prelude::*;

/// Works under the lock with its own name.
#[durable_object]
pub struct LockHolder {}

#[durable_object]
impl LockHolder {
    /// Works for this long, then writes into the vault with the lock's token. Returns the token.
    #[post("/work")]
    async fn work(&self, ctx: &Ctx, ttl_ms: u64, work_ms: u64) -> Result<u64, Error> {
        let name = ctx.name().unwrap_or_default();
        let lock = ctx.objects::<Lock>().named(&name);
        let vault = ctx.objects::<Vault>().named(&name);
        let request = Acquire::new("holder", Duration::from_millis(ttl_ms));
        let mut held = Held::acquire(ctx, lock, request).await?;
        let token = held.token();
        let work = async {
            ctx.sleep(Duration::from_millis(work_ms)).await;
            vault.write(token).await
        };
        let worked = held.during(work).await;
        held.release().await?;
        worked??;
        Ok(token)
    }

    #[post("/break")]
    async fn break_lock(&self, ctx: &Ctx, reason: String) -> Result<Broken, Error> {
        let lock = ctx.objects::<Lock>().named(&ctx.name().unwrap_or_default());
        let order = Break {
            by: "the case".to_owned(),
            reason,
        };
        Ok(lock.break_lock(order).await?)
    }
}

/// Stores the writer, if the fence allows it.
#[durable_object]
pub struct Vault {
    fence: Fence,
    tokens: Vec<u64>,
}

#[durable_object]
impl Vault {
    #[rpc]
    #[post("/write")]
    fn write(&mut self, token: u64) -> Result<(), StaleToken> {
        self.fence.admit(token)?;
        self.tokens.push(token);
        Ok(())
    }

    #[get("/")]
    fn tokens(&self) -> Vec<u64> {
        self.tokens.clone()
    }
}
