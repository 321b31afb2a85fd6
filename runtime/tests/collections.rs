//! Stored collections and what else belongs to the object alone.

use std::time::Duration;

use anchorhold::prelude::*;

/// Rotation of collections.
#[durable_object]
struct Rotating {
    current: StoredMap<String, u32>,
    previous: StoredMap<String, u32>,
}

#[durable_object]
impl Rotating {
    #[rpc]
    fn put(&mut self, key: &str, value: u32) -> Result<(), StorageError> {
        self.current.insert(key, &value).map(drop)
    }
    #[rpc]
    fn rotate(&mut self) {
        self.previous = std::mem::take(&mut self.current);
    }
    #[rpc]
    fn swap(&mut self) {
        std::mem::swap(&mut self.current, &mut self.previous);
    }
    #[rpc]
    fn both(&self, key: &str) -> Result<(Option<u32>, Option<u32>), StorageError> {
        Ok((self.current.get(key)?, self.previous.get(key)?))
    }
}

#[anchorhold::test]
async fn moved_collection_takes_its_entries_along(sim: Sim) {
    let object = sim.objects::<Rotating>().named("a");
    object.put("k", 1).await.unwrap();
    object.rotate().await.unwrap();
    assert_eq!(object.both("k").await.unwrap(), (None, Some(1)));
    sim.evict(&object).await;
    assert_eq!(object.both("k").await.unwrap(), (None, Some(1)));
}

#[anchorhold::test]
async fn swapped_collections_swap_their_entries(sim: Sim) {
    let object = sim.objects::<Rotating>().named("a");
    object.put("k", 1).await.unwrap();
    object.swap().await.unwrap();
    assert_eq!(object.both("k").await.unwrap(), (None, Some(1)));
    sim.evict(&object).await;
    assert_eq!(object.both("k").await.unwrap(), (None, Some(1)));
}

#[durable_object]
struct Prefixed {
    names: StoredMap<String, u32>,
    log: StoredLog<u32, 5>,
}

#[durable_object]
impl Prefixed {
    #[rpc]
    fn put(&mut self, ctx: &Ctx, key: &str, value: &str) -> Result<(), StorageError> {
        self.log.push(&1)?;
        ctx.storage().put(key, value)
    }
    #[rpc]
    fn drop_tables(&self, ctx: &Ctx) -> Result<(), StorageError> {
        // What an author writes who wants to start anew with the tables.
        ctx.storage()
            .sql()
            .execute("DROP TABLE IF EXISTS _anchorhold_schedule", ())?;
        Ok(())
    }
    #[rpc]
    fn plan(&self, ctx: &Ctx) -> Result<(), StorageError> {
        Self::schedules(ctx).ring().after(Duration::from_secs(1))
    }
    #[alarm]
    fn ring(&mut self) {}
    #[rpc]
    fn fine(&self) -> bool {
        true
    }
}

#[anchorhold::test]
async fn entry_of_a_collection_is_written_by_the_collection_only(sim: Sim) {
    let object = sim.objects::<Prefixed>().named("a");
    let put = object.put("log/next", "x").await;
    sim.evict(&object).await;
    let fine = object.fine().await;
    assert!(put.is_err() && fine.is_ok(), "{put:?} {fine:?}");
}

#[anchorhold::test]
async fn runtimes_table_is_not_the_objects(sim: Sim) {
    let object = sim.objects::<Prefixed>().named("a");
    object.plan().await.unwrap();
    let dropped = object.drop_tables().await;
    let planned = object.plan().await;
    assert!(planned.is_ok(), "{dropped:?} {planned:?}");
}
