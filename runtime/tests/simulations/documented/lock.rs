use std::time::Duration;

use anchorhold::Faults;
use anchorhold::prelude::*;

#[durable_object]
struct Lock {
    until: Option<Timestamp>,
    #[memory]
    last_token: u64,
}

#[durable_object]
impl Lock {
    /// Gives a lease of 10 seconds, unless another one is held. Returns its token.
    #[rpc]
    fn acquire(&mut self, ctx: &Ctx) -> Option<u64> {
        if self.until.is_some_and(|until| until > ctx.now()) {
            return None;
        }
        self.last_token += 1;
        self.until = Some(ctx.now() + Duration::from_secs(10));
        Some(self.last_token)
    }
}

async fn acquire_ten_times(sim: Sim) {
    let lock = sim.objects::<Lock>().named("printer");
    let mut last = 0;
    for _ in 0..10 {
        if let Ok(Some(token)) = lock.acquire().await {
            assert!(token > last, "token {token} was given after token {last}");
            last = token;
        }
        sim.env().sleep(Duration::from_secs(6)).await;
    }
}

#[anchorhold::test]
async fn tokens_only_rise(sim: Sim) {
    acquire_ten_times(sim).await;
}

#[anchorhold::test(seeds = 100, faults = Faults::all())]
#[should_panic(expected = "was given after token")]
async fn tokens_only_rise_whatever_fails(sim: Sim) {
    acquire_ten_times(sim).await;
}
