//! Other versions of a class: what they find of what an earlier one left, and leave to a later one.

use std::time::Duration;

use anchorhold::prelude::*;

mod good {
    use anchorhold::prelude::*;
    use std::time::Duration;

    #[durable_object]
    pub struct Billing {
        pub sent: u32,
        pub ticks: u32,
    }

    #[durable_object]
    impl Billing {
        #[rpc]
        pub fn promise(&mut self, ctx: &Ctx) -> Result<(), StorageError> {
            self.ticks = 0;
            Self::schedules(ctx)
                .send()
                .after(Duration::from_secs(3_600))
        }
        #[rpc]
        pub fn sent(&self) -> (u32, u32) {
            (self.sent, self.ticks)
        }
        #[alarm]
        fn send(&mut self) {
            self.sent += 1;
        }
        #[alarm(every = "1m")]
        fn tick(&mut self) {
            self.ticks += 1;
        }
    }
}

mod bad {
    use anchorhold::prelude::*;

    /// A deployment that lacks the alarms; it is rolled back.
    #[durable_object]
    pub struct Billing {
        pub sent: u32,
        pub ticks: u32,
    }

    #[durable_object]
    impl Billing {
        #[rpc]
        pub fn look(&self) -> u32 {
            self.sent
        }
    }
}

#[anchorhold::test]
async fn run_whose_method_a_bad_deployment_lacks_is_kept(sim: Sim) {
    let good = sim.objects::<good::Billing>().named("a");
    good.promise().await.unwrap();
    sim.advance(Duration::from_secs(3_590)).await;
    sim.evict(&good).await;
    let bad = sim.objects::<bad::Billing>().named("a");
    bad.look().await.unwrap();
    // The run comes due while the wrong version serves.
    sim.advance(Duration::from_secs(60)).await;
    sim.crash().await;
    // Rolled back: the good version serves again, and nobody calls the object.
    let good = sim.objects::<good::Billing>().named("a");
    let other = sim.objects::<good::Billing>().named("other");
    other.sent().await.unwrap();
    sim.advance(Duration::from_secs(3_600)).await;
    let (sent, ticks) = good.sent().await.unwrap();
    assert_eq!(sent, 1, "the promised run");
    assert!(
        ticks > 100,
        "{ticks} ticks: the recurring alarm stood still"
    );
}

#[anchorhold::test]
async fn run_whose_method_is_deployed_again_happens_as_soon_as_its_object_is_called(sim: Sim) {
    let good = sim.objects::<good::Billing>().named("a");
    good.promise().await.unwrap();
    sim.crash().await;
    // Long enough that the next look would come hours later.
    sim.objects::<bad::Billing>()
        .named("a")
        .look()
        .await
        .unwrap();
    sim.advance(Duration::from_secs(3 * 86_400)).await;
    sim.crash().await;
    let good = sim.objects::<good::Billing>().named("a");
    good.sent().await.unwrap();
    sim.advance(Duration::from_secs(2)).await;
    assert_eq!(good.sent().await.unwrap().0, 1);
}

#[anchorhold::test]
async fn run_whose_method_stays_away_is_dropped_after_30_days(sim: Sim) {
    let good = sim.objects::<good::Billing>().named("a");
    good.promise().await.unwrap();
    sim.crash().await;
    sim.objects::<bad::Billing>()
        .named("a")
        .look()
        .await
        .unwrap();
    sim.advance(Duration::from_secs(32 * 86_400)).await;
    sim.crash().await;
    let good = sim.objects::<good::Billing>().named("a");
    good.sent().await.unwrap();
    sim.advance(Duration::from_secs(3_600)).await;
    assert_eq!(good.sent().await.unwrap().0, 0);
}

mod small {
    use anchorhold::prelude::*;
    #[durable_object]
    pub struct Audit {
        pub log: StoredLog<u32, 2>,
    }
    #[durable_object]
    impl Audit {
        #[rpc]
        pub fn push(&mut self, value: u32) -> Result<u64, StorageError> {
            self.log.push(&value)
        }
        #[rpc]
        pub fn keys(&self, ctx: &Ctx) -> Result<usize, StorageError> {
            Ok(ctx
                .storage()
                .list::<u32>(&anchorhold::List::all().prefix("log/0"))?
                .len())
        }
    }
}

mod large {
    use anchorhold::prelude::*;
    #[durable_object]
    pub struct Audit {
        pub log: StoredLog<u32, 10>,
    }
    #[durable_object]
    impl Audit {
        #[rpc]
        pub fn push(&mut self, value: u32) -> Result<u64, StorageError> {
            self.log.push(&value)
        }
        #[rpc]
        pub fn seen(&self) -> Result<(u64, u64, usize), StorageError> {
            let kept = self.log.indices();
            Ok((
                self.log.len(),
                kept.start,
                self.log.newest(kept, 100)?.len(),
            ))
        }
        #[rpc]
        pub fn keys(&self, ctx: &Ctx) -> Result<usize, StorageError> {
            Ok(ctx
                .storage()
                .list::<u32>(&anchorhold::List::all().prefix("log/0"))?
                .len())
        }
    }
}

#[anchorhold::test]
async fn log_whose_bound_was_raised_returns_its_true_length(sim: Sim) {
    let old = sim.objects::<small::Audit>().named("a");
    for value in 1..=5 {
        old.push(value).await.unwrap();
    }
    sim.crash().await;
    let new = sim.objects::<large::Audit>().named("a");
    let (length, start, found) = new.seen().await.unwrap();
    assert_eq!((length, start), (found as u64, 4));
}

#[anchorhold::test]
async fn log_whose_bound_was_lowered_gives_its_entries_up(sim: Sim) {
    let new = sim.objects::<large::Audit>().named("a");
    for value in 1..=10 {
        new.push(value).await.unwrap();
    }
    sim.crash().await;
    let old = sim.objects::<small::Audit>().named("a");
    for value in 1..=10 {
        old.push(value).await.unwrap();
    }
    assert_eq!(old.keys().await.unwrap(), 2);
}

mod hourly {
    use anchorhold::prelude::*;

    #[durable_object]
    pub struct Report {
        sent: u32,
    }

    #[durable_object]
    impl Report {
        #[rpc]
        pub fn touch(&mut self) {
            self.sent = 1;
        }
        #[alarm(every = "1h")]
        fn send(&mut self) {
            self.sent += 1;
        }
    }
}

mod monthly {
    use anchorhold::prelude::*;

    #[durable_object]
    pub struct Report {
        sent: u32,
    }

    #[durable_object]
    impl Report {
        #[rpc]
        pub fn next(&self, ctx: &Ctx) -> Result<Option<Timestamp>, StorageError> {
            Self::schedules(ctx).next_send("")
        }
        #[alarm(every = "30d")]
        fn send(&mut self) {
            self.sent += 1;
        }
    }
}

#[anchorhold::test]
async fn slower_recurrence_takes_effect_at_the_next_wake(sim: Sim) {
    let old = sim.objects::<hourly::Report>().named("a");
    old.touch().await.unwrap();
    sim.advance(Duration::from_secs(60)).await;
    sim.crash().await;
    let new = sim.objects::<monthly::Report>().named("a");
    let next = new.next().await.unwrap().expect("a pending run");
    let month = Duration::from_secs(30 * 86_400);
    assert!(
        next > sim.now() + (month - Duration::from_secs(60)),
        "{next}"
    );
}
