//! Changes that no attribute can see: behind a shared reference, inside of the user's own types.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anchorhold::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
struct Hits {
    total: AtomicU64,
    names: Mutex<Vec<String>>,
}

#[durable_object]
struct Page {
    title: String,
    hits: Hits,
    by_country: HashMap<String, u64>,
}

impl Page {
    fn count(&self) {
        self.hits.total.fetch_add(1, Ordering::Relaxed);
        self.hits.names.lock().unwrap().push("ann".to_owned());
    }
}

#[durable_object]
impl Page {
    #[rpc]
    fn refuse(&self) -> Result<(), Error> {
        self.count();
        Err(Error::conflict("refused", "as asked"))
    }

    #[rpc]
    async fn refuse_later(&self, ctx: &Ctx, millis: u64) -> Result<(), Error> {
        self.count();
        ctx.sleep(Duration::from_millis(millis)).await;
        Err(Error::conflict("refused", "as asked"))
    }

    #[rpc]
    fn rename(&mut self, title: String) {
        self.title = title;
        for country in ["de", "fr", "it", "jp", "us"] {
            *self.by_country.entry(country.to_owned()).or_default() += 1;
        }
    }

    #[rpc]
    fn read(&self) -> (String, u64, usize, u64) {
        (
            self.title.clone(),
            self.hits.total.load(Ordering::Relaxed),
            self.hits.names.lock().unwrap().len(),
            self.by_country.values().sum(),
        )
    }
}

#[anchorhold::test]
async fn change_behind_a_shared_reference_is_taken_back_when_the_turn_fails(sim: Sim) {
    let page = sim.objects::<Page>().named("a");
    page.rename("one".into()).await.unwrap();
    page.refuse().await.unwrap_err();
    page.refuse_later(1).await.unwrap_err();
    assert_eq!(page.read().await.unwrap(), ("one".into(), 0, 0, 5));
    page.rename("two".into()).await.unwrap();
    sim.evict(&page).await;
    assert_eq!(page.read().await.unwrap(), ("two".into(), 0, 0, 10));
}

#[anchorhold::test]
async fn change_behind_a_shared_reference_is_taken_back_when_it_was_never_stored(sim: Sim) {
    let page = sim.objects::<Page>().named("a");
    page.refuse().await.unwrap_err();
    assert_eq!(page.read().await.unwrap(), (String::new(), 0, 0, 0));
}

#[anchorhold::test]
async fn change_behind_a_shared_reference_is_not_stored_by_the_next_turn_when_turns_overlap(
    sim: Sim,
) {
    let page = sim.objects::<Page>().named("a");
    let long = page.refuse_later(100);
    let short = page.refuse_later(1);
    let between = page.refuse();
    let written = page.rename("one".into());
    between.await.unwrap_err();
    short.await.unwrap_err();
    long.await.unwrap_err();
    written.await.unwrap();
    sim.evict(&page).await;
    assert_eq!(page.read().await.unwrap(), ("one".into(), 0, 0, 5));
}
