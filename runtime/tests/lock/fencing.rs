//! What a lease alone does not keep out: stale tokens, and work that outlives its lease.

use super::*;

/// What the lock protects.
#[durable_object]
pub struct Ledger {
    fence: Fence,
    lines: Vec<String>,
}

#[durable_object]
impl Ledger {
    #[rpc]
    fn write(&mut self, token: u64, line: String) -> Result<(), StaleToken> {
        self.fence.admit(token)?;
        self.lines.push(line);
        Ok(())
    }

    #[rpc]
    fn lines(&self) -> Vec<String> {
        self.lines.clone()
    }
}

#[anchorhold::test]
async fn a_holder_that_slept_through_its_expiry_cannot_write(sim: Sim) {
    let lock = sim.objects::<Lock>().named("a");
    let ledger = sim.objects::<Ledger>().named("a");
    let asleep = lock.acquire(request("ann")).await.unwrap();
    ledger
        .write(asleep.token, "ann's first".to_owned())
        .await
        .unwrap();
    let next = lock
        .acquire(request("bob").wait(seconds(60)))
        .await
        .unwrap();
    ledger.write(next.token, "bob's".to_owned()).await.unwrap();
    sim.evict(&ledger).await;
    let late = ledger.write(asleep.token, "ann's second".to_owned()).await;
    assert_eq!(
        late.unwrap_err(),
        CallError::Application(StaleToken {
            token: asleep.token,
            newest: next.token
        })
    );
    assert_eq!(ledger.lines().await.unwrap(), ["ann's first", "bob's"]);
}

#[test]
fn shared_holders_fence_off_older_writers_and_not_each_other() {
    let mut fence = Fence::default();
    fence.admit(1).unwrap();
    fence.admit_shared(3).unwrap();
    fence.admit_shared(2).unwrap();
    assert_eq!(
        fence.admit(1),
        Err(StaleToken {
            token: 1,
            newest: 3
        })
    );
    fence.admit(4).unwrap();
    fence.admit(4).unwrap();
    assert_eq!(
        fence.admit_shared(3),
        Err(StaleToken {
            token: 3,
            newest: 4
        })
    );
}

/// Works under the lock for a while.
#[durable_object]
struct Worker {
    finished: Vec<u64>,
}

#[durable_object]
impl Worker {
    #[rpc]
    async fn work(&mut self, ctx: &Ctx, wait: u64, work: u64) -> Result<u64, Error> {
        let lock = ctx.objects::<Lock>().named("a");
        let request = Acquire::new("worker", seconds(3)).wait(seconds(wait));
        let mut held = Held::acquire(ctx, lock, request).await?;
        let token = held.token();
        let worked = held.during(ctx.sleep(seconds(work))).await;
        held.release().await?;
        worked?;
        self.finished.push(token);
        Ok(token)
    }

    #[rpc]
    fn finished(&self) -> Vec<u64> {
        self.finished.clone()
    }
}

#[anchorhold::test]
async fn held_renews_until_the_work_is_done_and_releases(sim: Sim) {
    let lock = sim.objects::<Lock>().named("a");
    let worker = sim.objects::<Worker>().named("a");
    // It waits for longer than its lease is, and the clock of the lease begins after that.
    let first = lock
        .acquire(Acquire::new("ann", seconds(20)))
        .await
        .unwrap();
    let working = worker.work(60, 100);
    sim.advance(seconds(19)).await;
    lock.release(end(&first)).await.unwrap();
    let next = lock.acquire(request("bob").wait(seconds(200)));
    let token = working.await.unwrap();
    assert!(token > first.token && next.await.unwrap().token > token);
    assert_eq!(sim.now() - first.expires_at + seconds(1), seconds(100));
}

#[anchorhold::test]
async fn held_stops_the_work_when_the_lease_is_lost(sim: Sim) {
    let lock = sim.objects::<Lock>().named("a");
    let worker = sim.objects::<Worker>().named("a");
    let working = worker.work(0, 100);
    sim.advance(seconds(10)).await;
    let token = lock.status().await.unwrap().token;
    let order = Break {
        by: "root".to_owned(),
        reason: "it takes too long".to_owned(),
    };
    lock.break_lock(order).await.unwrap();
    let start = sim.now();
    let lost = Error::from(working.await.unwrap_err());
    assert_eq!(
        (lost.code(), lost.message()),
        ("lost", &*LeaseLost { token }.to_string())
    );
    assert!(sim.now() - start <= seconds(1), "at the next renewal");
    assert!(worker.finished().await.unwrap().is_empty());
}
