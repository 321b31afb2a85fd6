//! Tests in the simulator. An object may leave memory between any two calls, and its host may die:
//! the test does both, and hours pass in no time. A failed run prints the seed that repeats it.
//!
//! ```sh
//! cargo test -p examples --example testing_with_eviction
//! cargo run -p examples --example testing_with_eviction
//! curl -d '{"user": "ann"}' localhost:8787/logins/office
//! ```
#![cfg_attr(target_arch = "wasm32", no_main)]

use std::time::Duration;

use anchorhold::prelude::*;

/// Three wrong passwords lock a user out for a while.
#[durable_object]
struct Logins {
    /// Were it `#[memory]`, guessing would only take patience: the object leaves memory when it is
    /// idle, and the count with it. The second test would find out.
    failures: StoredMap<String, u32>,
    /// Only saves work, so it may be lost.
    #[memory]
    asked: u64,
}

const ALLOWED: u32 = 3;
const LOCKED_OUT_FOR: Duration = Duration::from_secs(15 * 60);

#[durable_object]
impl Logins {
    /// Notes a wrong password; how many more are allowed.
    #[rpc]
    #[post("/")]
    fn failed(&mut self, ctx: &Ctx, user: String) -> Result<u32, Error> {
        let failures = self.failures.get(&user)?.unwrap_or(0) + 1;
        self.failures.insert(&user, &failures)?;
        // Every count ends some time, so that nothing is kept of a user for ever. A guess while locked out
        // does not make it longer.
        if failures <= ALLOWED {
            Self::schedules(ctx)
                .forgive()
                .key(user)
                .after(LOCKED_OUT_FOR)?;
        }
        Ok(ALLOWED.saturating_sub(failures))
    }

    #[rpc]
    #[get("/{user}")]
    fn is_locked_out(&mut self, user: String) -> Result<bool, StorageError> {
        self.asked += 1;
        Ok(self.failures.get(&user)?.unwrap_or(0) >= ALLOWED)
    }

    #[rpc]
    fn asked(&self) -> u64 {
        self.asked
    }

    #[alarm]
    fn forgive(&mut self, run: AlarmRun) -> Result<(), StorageError> {
        self.failures.remove(&run.key)?;
        Ok(())
    }
}

#[anchorhold::app]
fn app() -> App {
    App::new().mount::<Logins>("/logins/{name}")
}

#[cfg(not(target_arch = "wasm32"))]
fn main() -> std::process::ExitCode {
    anchorhold::serve(app)
}

/// What happens to an object between two calls.
#[cfg(test)]
#[derive(Clone, Copy, Debug)]
enum Between {
    Nothing,
    Eviction,
    Crash,
}

#[cfg(test)]
impl Between {
    async fn happen(self, sim: &Sim, logins: &LoginsStub) {
        match self {
            Self::Nothing => {}
            Self::Eviction => sim.evict(logins).await,
            Self::Crash => sim.crash().await,
        }
    }
}

#[anchorhold::test]
async fn an_eviction_loses_what_is_marked_memory_and_nothing_else(sim: Sim) {
    let logins = sim.objects::<Logins>().named("office");
    logins.failed("ann".to_owned()).await.unwrap();
    logins.is_locked_out("ann".to_owned()).await.unwrap();
    assert_eq!(logins.asked().await.unwrap(), 1);
    sim.evict(&logins).await;
    assert_eq!(logins.asked().await.unwrap(), 0);
    assert_eq!(logins.failed("ann".to_owned()).await.unwrap(), 1);
}

#[anchorhold::test]
async fn the_third_failure_locks_out_whatever_happens_in_between(sim: Sim) {
    for between in [Between::Nothing, Between::Eviction, Between::Crash] {
        let logins = sim.objects::<Logins>().named(&format!("{between:?}"));
        for left in [2, 1, 0] {
            between.happen(&sim, &logins).await;
            assert_eq!(logins.failed("ann".to_owned()).await.unwrap(), left);
        }
        between.happen(&sim, &logins).await;
        assert!(
            logins.is_locked_out("ann".to_owned()).await.unwrap(),
            "{between:?}"
        );
        assert!(!logins.is_locked_out("bob".to_owned()).await.unwrap());

        // The alarm goes off although the object is not in memory.
        between.happen(&sim, &logins).await;
        sim.advance(LOCKED_OUT_FOR - Duration::from_secs(1)).await;
        assert!(logins.is_locked_out("ann".to_owned()).await.unwrap());
        sim.advance(Duration::from_secs(1)).await;
        assert!(
            !logins.is_locked_out("ann".to_owned()).await.unwrap(),
            "{between:?}"
        );
    }
}
