//! Turns as transactions, where the conformance cases cannot look: what is remembered of storage,
//! turns beside a `delete_all`, versions of a class.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use anchorhold::prelude::*;

const HOUR: Duration = Duration::from_secs(3_600);
const MOMENT: Duration = Duration::from_millis(100);

#[durable_object]
struct Ledger {
    entries: i64,
    rings: u32,
}

#[durable_object]
impl Ledger {
    #[rpc]
    fn add(&mut self, by: i64) -> i64 {
        self.entries += by;
        self.entries
    }

    #[rpc]
    fn entries(&self) -> i64 {
        self.entries
    }

    #[rpc]
    fn rings(&self) -> u32 {
        self.rings
    }

    #[rpc]
    fn has(&self, ctx: &Ctx, key: &str) -> Result<bool, StorageError> {
        Ok(ctx.storage().get::<bool>(key)?.is_some())
    }

    /// Schedules inside of a transaction, which is taken back while the turn succeeds.
    #[rpc]
    fn schedule_in_vain(&self, ctx: &Ctx) -> Result<(), StorageError> {
        let scheduled = ctx.storage().transaction(|_| {
            Self::schedules(ctx).ring().after(MOMENT)?;
            Err::<(), _>(Error::conflict("no", "taken back on purpose"))
        });
        assert!(scheduled.is_err());
        Ok(())
    }

    #[rpc]
    fn cancel_in_vain(&self, ctx: &Ctx) -> Result<(), StorageError> {
        let cancelled = ctx.storage().transaction(|_| {
            assert!(Self::schedules(ctx).cancel_ring("")?);
            Err::<(), _>(Error::conflict("no", "taken back on purpose"))
        });
        assert!(cancelled.is_err());
        Ok(())
    }

    #[rpc]
    fn schedule(&self, ctx: &Ctx, after_ms: u64) -> Result<(), StorageError> {
        Self::schedules(ctx)
            .ring()
            .after(Duration::from_millis(after_ms))
    }

    #[rpc]
    fn is_scheduled(&self, ctx: &Ctx) -> Result<bool, StorageError> {
        Ok(Self::schedules(ctx).next_ring("")?.is_some())
    }

    #[rpc]
    async fn wait(&self, ctx: &Ctx) -> i64 {
        ctx.sleep(MOMENT).await;
        self.entries
    }

    /// Deletes everything beside other shared turns, and stores something new in the same turn.
    #[rpc]
    async fn wipe(&self, ctx: &Ctx) -> Result<(), StorageError> {
        ctx.storage().delete_all()?;
        ctx.storage().put("new", &true)?;
        Self::schedules(ctx).ring().after(HOUR)
    }

    /// Begins a request to the outside world, and fails if told to.
    #[rpc]
    fn notify(&self, ctx: &Ctx, fails: bool) -> Result<(), Error> {
        let answer = ctx.fetch(Request::new("POST", "https://example.com/hook"));
        ctx.wait_until(async move {
            // The test's world counts the requests.
            let _ = answer.await;
        });
        if fails {
            return Err(Error::conflict("no", "failed on purpose"));
        }
        Ok(())
    }

    #[rpc]
    fn wipe_in_background(&self, ctx: &Ctx) {
        let storage = ctx.storage();
        ctx.wait_until(async move {
            storage.delete_all().expect("no transaction is open");
        });
    }

    #[alarm]
    fn ring(&mut self) {
        self.rings += 1;
    }
}

#[anchorhold::test]
async fn schedule_of_a_transaction_that_is_taken_back_never_runs(sim: Sim) {
    let ledger = sim.objects::<Ledger>().named("a");
    ledger.schedule_in_vain().await.unwrap();
    assert!(!ledger.is_scheduled().await.unwrap());
    // The first schedule of an object's life was taken back: the next one finds that out.
    ledger.schedule(100).await.unwrap();
    assert!(ledger.is_scheduled().await.unwrap());
    sim.advance(Duration::from_secs(1)).await;
    assert_eq!(ledger.rings().await.unwrap(), 1);
}

#[anchorhold::test]
async fn cancellation_of_a_transaction_that_is_taken_back_cancels_nothing(sim: Sim) {
    let ledger = sim.objects::<Ledger>().named("a");
    ledger.schedule(500).await.unwrap();
    ledger.cancel_in_vain().await.unwrap();
    sim.advance(Duration::from_secs(1)).await;
    assert_eq!(ledger.rings().await.unwrap(), 1);
}

#[anchorhold::test]
async fn deletion_beside_a_waiting_turn_loses_no_later_write(sim: Sim) {
    let ledger = sim.objects::<Ledger>().named("a");
    ledger.add(7).await.unwrap();
    let waiting = ledger.wait();
    let wiping = ledger.wipe();
    let added = ledger.add(1);
    waiting.await.unwrap();
    wiping.await.unwrap();
    assert_eq!(added.await.unwrap(), 1);
    assert!(ledger.has("new").await.unwrap());
    assert!(ledger.is_scheduled().await.unwrap());
    sim.crash().await;
    assert_eq!(ledger.entries().await.unwrap(), 1);
    assert!(ledger.has("new").await.unwrap());
    assert!(ledger.is_scheduled().await.unwrap());
}

#[anchorhold::test]
async fn shared_turn_after_a_deletion_sees_the_defaults(sim: Sim) {
    let ledger = sim.objects::<Ledger>().named("a");
    ledger.add(7).await.unwrap();
    let waiting = ledger.wait();
    let wiping = ledger.wipe();
    let after = ledger.wait();
    waiting.await.unwrap();
    wiping.await.unwrap();
    assert_eq!(after.await.unwrap(), 0);
}

#[anchorhold::test]
async fn deletion_in_the_background_loses_no_later_write(sim: Sim) {
    let ledger = sim.objects::<Ledger>().named("a");
    ledger.add(7).await.unwrap();
    ledger.wipe_in_background().await.unwrap();
    sim.advance(MOMENT).await;
    assert_eq!(ledger.add(1).await.unwrap(), 1);
    sim.evict(&ledger).await;
    assert_eq!(ledger.entries().await.unwrap(), 1);
}

#[anchorhold::test]
async fn request_of_a_failed_turn_is_never_sent(sim: Sim) {
    let sent = Rc::new(Cell::new(0));
    let counting = Rc::clone(&sent);
    sim.answer_outgoing(move |_| {
        counting.set(counting.get() + 1);
        async { Response::text(200, "thanks") }
    });
    let ledger = sim.objects::<Ledger>().named("a");
    ledger.notify(true).await.unwrap_err();
    sim.advance(MOMENT).await;
    assert_eq!(sent.get(), 0);
    ledger.notify(false).await.unwrap();
    sim.advance(MOMENT).await;
    assert_eq!(sent.get(), 1);
}

thread_local! {
    /// How often a handler ran that panics: all that its turns store is taken back.
    static TRIES: Cell<u32> = const { Cell::new(0) };
}

#[durable_object]
struct Poisoned {
    rings: u32,
}

#[durable_object]
impl Poisoned {
    #[rpc]
    fn begin(&self, ctx: &Ctx) -> Result<(), StorageError> {
        Self::schedules(ctx).fail().after(MOMENT)?;
        Self::schedules(ctx).ring().after(Duration::from_secs(5))
    }

    #[rpc]
    fn rings(&self) -> u32 {
        self.rings
    }

    #[alarm]
    fn fail(&mut self, run: AlarmRun) {
        assert_eq!(run.retry_count, TRIES.get(), "each try is counted");
        TRIES.set(TRIES.get() + 1);
        panic!("on purpose");
    }

    #[alarm]
    fn ring(&mut self) {
        self.rings += 1;
    }
}

#[anchorhold::test]
async fn run_that_panics_is_given_up_after_seven_tries_and_holds_up_no_other(sim: Sim) {
    let poisoned = sim.objects::<Poisoned>().named("a");
    poisoned.begin().await.unwrap();
    sim.advance(Duration::from_secs(6)).await;
    assert_eq!(poisoned.rings().await.unwrap(), 1);
    // A request to the object does not start the run early.
    let tries = TRIES.get();
    for _ in 0..10 {
        poisoned.rings().await.unwrap();
    }
    assert_eq!(TRIES.get(), tries);
    sim.advance(HOUR).await;
    assert_eq!(TRIES.get(), 7);
}

mod before {
    use anchorhold::prelude::*;

    #[durable_object]
    pub struct Beat {
        pub beats: u32,
    }

    #[durable_object]
    impl Beat {
        #[rpc]
        pub fn touch(&mut self, by: u32) {
            self.beats += by;
        }

        #[alarm(every = "30d")]
        fn changed(&mut self) {}

        #[alarm(every = "1h")]
        fn kept(&mut self) {}

        #[alarm(every = "1h")]
        fn removed(&mut self) {}
    }
}

mod after {
    use anchorhold::prelude::*;

    #[durable_object]
    pub struct Beat {
        pub beats: u32,
        pub kept_beats: Vec<Timestamp>,
    }

    #[durable_object]
    impl Beat {
        #[rpc]
        pub fn beats(&self) -> (u32, Vec<Timestamp>) {
            (self.beats, self.kept_beats.clone())
        }

        #[rpc]
        pub fn is_pending(&self, ctx: &Ctx) -> Result<bool, StorageError> {
            Ok(Self::schedules(ctx).next_removed("")?.is_some())
        }

        #[alarm(every = "1s")]
        fn changed(&mut self) {
            self.beats += 1;
        }

        #[alarm(every = "1h")]
        fn kept(&mut self, ctx: &Ctx) {
            self.kept_beats.push(ctx.now());
        }

        #[alarm]
        fn removed(&mut self) {}
    }
}

#[anchorhold::test]
async fn changed_recurrence_takes_effect_at_the_next_wake_and_an_unchanged_one_stays(sim: Sim) {
    let old = sim.objects::<before::Beat>().named("a");
    let start = sim.now();
    old.touch(1).await.unwrap();
    sim.advance(HOUR / 2).await;
    sim.evict(&old).await;

    let new = sim.objects::<after::Beat>().named("a");
    let (beats, _) = new.beats().await.unwrap();
    assert_eq!(beats, 1);
    assert!(!new.is_pending().await.unwrap());
    sim.advance(Duration::from_millis(5_500)).await;
    let (beats, kept) = new.beats().await.unwrap();
    assert_eq!((beats, kept.len()), (6, 0));
    sim.advance(HOUR / 2).await;
    let (_, kept) = new.beats().await.unwrap();
    assert_eq!(kept, [start + HOUR]);
}
