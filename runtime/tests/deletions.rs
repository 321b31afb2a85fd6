//! `delete_all` beside other turns; and fields that storage does not hold.

use std::cell::Cell;
use std::time::Duration;

use anchorhold::prelude::*;

const MOMENT: Duration = Duration::from_millis(100);

/// `delete_all` from the background beside an exclusive turn at an await.
#[durable_object]
struct Wiped {
    value: u32,
}

#[durable_object]
impl Wiped {
    #[rpc]
    fn set(&mut self, value: u32) {
        self.value = value;
    }
    #[rpc]
    fn value(&self, ctx: &Ctx) -> Result<(u32, Option<u32>), StorageError> {
        Ok((self.value, ctx.storage().get("beside")?))
    }
    #[rpc]
    fn wipe_later(&self, ctx: &Ctx) {
        let storage = ctx.storage();
        let pause = ctx.sleep(Duration::from_millis(50));
        ctx.wait_until(async move {
            pause.await;
            storage.delete_all().unwrap();
        });
    }
    #[rpc]
    async fn slow_set(&mut self, ctx: &Ctx, value: u32) -> Result<(), StorageError> {
        ctx.sleep(MOMENT).await;
        self.value = value;
        ctx.storage().put("beside", &value)
    }
}

#[anchorhold::test]
async fn write_after_a_background_deletion_stays(sim: Sim) {
    let object = sim.objects::<Wiped>().named("a");
    object.set(1).await.unwrap();
    object.wipe_later().await.unwrap();
    object.slow_set(7).await.unwrap();
    assert_eq!(object.value().await.unwrap(), (7, Some(7)));
}

/// A field whose default is another each time.
#[durable_object]
struct Token {
    #[stored(default = next_token())]
    token: u64,
    other: u32,
}

thread_local! {
    static TOKENS: Cell<u64> = const { Cell::new(0) };
}

fn next_token() -> u64 {
    TOKENS.set(TOKENS.get() + 1);
    TOKENS.get()
}

#[durable_object]
impl Token {
    #[rpc]
    fn token(&self) -> u64 {
        self.token
    }
    #[rpc]
    fn fail(&mut self) -> Result<(), Error> {
        self.other += 1;
        Err(Error::conflict("no", "on purpose"))
    }
    #[rpc]
    fn nothing(&mut self) {}
}

#[anchorhold::test]
async fn failed_turn_leaves_a_random_default_as_it_was(sim: Sim) {
    let object = sim.objects::<Token>().named("a");
    let before = object.token().await.unwrap();
    object.fail().await.unwrap_err();
    assert_eq!(object.token().await.unwrap(), before);
}

/// Order of calls beside a `delete_all`.
#[durable_object]
struct Ordered {
    value: u32,
}

#[durable_object]
impl Ordered {
    #[rpc]
    async fn hold(&self, ctx: &Ctx) {
        ctx.sleep(MOMENT).await;
    }
    #[rpc]
    fn wipe(&self, ctx: &Ctx) -> Result<(), StorageError> {
        ctx.storage().delete_all()
    }
    #[rpc]
    fn note(&self, ctx: &Ctx, value: u32) -> Result<(), StorageError> {
        ctx.storage().put("last", &value)
    }
    #[rpc]
    fn note_alone(&mut self, ctx: &Ctx, value: u32) -> Result<(), StorageError> {
        ctx.storage().put("last", &value)
    }
    #[rpc]
    fn last(&self, ctx: &Ctx) -> Result<Option<u32>, StorageError> {
        ctx.storage().get("last")
    }
}

#[anchorhold::test]
async fn calls_keep_their_order_beside_a_deletion(sim: Sim) {
    for wiped in [false, true] {
        let object = sim
            .objects::<Ordered>()
            .named(if wiped { "wiped" } else { "not" });
        object.note(0).await.unwrap();
        let holding = object.hold();
        sim.advance(Duration::from_millis(10)).await;
        if wiped {
            object.wipe().await.unwrap();
        }
        let first = object.note(1);
        sim.advance(Duration::from_millis(10)).await;
        let second = object.note_alone(2);
        holding.await.unwrap();
        first.await.unwrap();
        second.await.unwrap();
        assert_eq!(object.last().await.unwrap(), Some(2), "wiped: {wiped}");
    }
}

/// A log whose turns delete everything and fail.
#[durable_object]
struct Journal {
    entries: StoredLog<u32, 10>,
}

#[durable_object]
impl Journal {
    #[rpc]
    fn push(&mut self, value: u32) -> Result<u64, StorageError> {
        self.entries.push(&value)
    }
    #[rpc]
    fn entries(&self) -> Result<Vec<(u64, u32)>, StorageError> {
        self.entries.newest(0..u64::MAX, 10)
    }
    #[rpc]
    fn delete_and_fail(&mut self, ctx: &Ctx) -> Result<(), Error> {
        ctx.storage().delete_all()?;
        Err(Error::conflict("no", "on purpose"))
    }
    #[rpc]
    async fn delete_late_and_fail(&mut self, ctx: &Ctx) -> Result<(), Error> {
        ctx.sleep(MOMENT).await;
        ctx.storage().delete_all()?;
        Err(Error::conflict("no", "on purpose"))
    }
}

#[anchorhold::test]
async fn failed_deletion_leaves_a_log_as_it_was(sim: Sim) {
    let journal = sim.objects::<Journal>().named("a");
    let mut expected = vec![(1, 10)];
    assert_eq!(journal.push(10).await.unwrap(), 1);
    for (index, is_late) in [(2, false), (3, true)] {
        let failed = if is_late {
            journal.delete_late_and_fail().await
        } else {
            journal.delete_and_fail().await
        };
        failed.unwrap_err();
        assert_eq!(journal.entries().await.unwrap(), expected);
        assert_eq!(journal.push(7).await.unwrap(), index);
        expected.push((index, 7));
        sim.evict(&journal).await;
        assert_eq!(journal.entries().await.unwrap(), expected);
    }
}
