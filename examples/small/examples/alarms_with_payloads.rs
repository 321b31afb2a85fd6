//! Any number of alarms, each with a value of its own. One run is pending for each key: scheduling
//! again under the same key moves it. What fails is tried again.
//!
//! ```sh
//! cargo run -p examples --example alarms_with_payloads
//! curl -X PUT -d '{"text": "tea is ready", "in_seconds": 3}' localhost:8787/reminders/ann/tea
//! curl localhost:8787/reminders/ann/tea
//! curl localhost:8787/reminders/ann
//! ```
#![cfg_attr(target_arch = "wasm32", no_main)]

use std::time::Duration;

use anchorhold::prelude::*;
use serde::{Deserialize, Serialize};

/// What an alarm carries until it goes off. It is stored, so its fields evolve as stored fields do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Reminder {
    text: String,
    asked_at: Timestamp,
}

#[durable_object]
struct Reminders {
    delivered: StoredLog<String, 100>,
    /// The next tries to deliver fail, so that there is something to try again.
    failures: u32,
}

#[durable_object]
impl Reminders {
    #[rpc]
    #[put("/{key}")]
    fn remind(
        &self,
        ctx: &Ctx,
        key: String,
        text: String,
        in_seconds: u64,
    ) -> Result<(), StorageError> {
        let reminder = Reminder {
            text,
            asked_at: ctx.now(),
        };
        Self::schedules(ctx)
            .deliver(reminder)
            .key(key)
            .after(Duration::from_secs(in_seconds))
    }

    /// When the reminder is due, if there is one.
    #[rpc]
    #[get("/{key}")]
    fn due(&self, ctx: &Ctx, key: String) -> Result<Option<Timestamp>, StorageError> {
        Self::schedules(ctx).next_deliver(&key)
    }

    #[rpc]
    #[delete("/{key}")]
    fn forget(&self, ctx: &Ctx, key: String) -> Result<(), Error> {
        if Self::schedules(ctx).cancel_deliver(&key)? {
            Ok(())
        } else {
            Err(Error::not_found(format!("no reminder `{key}`")))
        }
    }

    #[rpc]
    #[get("/")]
    fn delivered(&self) -> Result<Vec<String>, StorageError> {
        let newest = self.delivered.newest(0..u64::MAX, 100)?;
        Ok(newest.into_iter().map(|(_, text)| text).collect())
    }

    #[rpc]
    fn fail_next(&mut self, failures: u32) {
        self.failures = failures;
    }

    /// Runs at its time or later, at least once: after an error or a crash it is tried again, in 2 s,
    /// then 4 s, and so on.
    #[alarm]
    fn deliver(&mut self, reminder: Reminder, run: AlarmRun) -> Result<(), Error> {
        if run.retry_count < self.failures {
            return Err(Error::internal("the doorbell is broken"));
        }
        let Reminder { text, asked_at } = reminder;
        let waited = run.scheduled - asked_at;
        let line = format!(
            "{}: {text}, as asked {} s before",
            run.key,
            waited.as_secs()
        );
        self.delivered.push(&line)?;
        Ok(())
    }
}

#[anchorhold::app]
fn app() -> App {
    App::new().mount::<Reminders>("/reminders/{name}")
}

#[cfg(not(target_arch = "wasm32"))]
fn main() -> std::process::ExitCode {
    anchorhold::serve(app)
}

#[cfg(test)]
async fn remind(stub: &RemindersStub, key: &str, text: &str, in_seconds: u64) {
    let reminder = stub.remind(key.to_owned(), text.to_owned(), in_seconds);
    reminder.await.unwrap();
}

#[anchorhold::test]
async fn each_goes_off_at_its_time_with_its_own_value(sim: Sim) {
    let ann = sim.objects::<Reminders>().named("ann");
    remind(&ann, "tea", "it is ready", 300).await;
    remind(&ann, "bus", "run", 60).await;
    remind(&ann, "nap", "wake up", 120).await;
    // Moved, and taken back.
    remind(&ann, "tea", "it is cold", 600).await;
    ann.forget("nap".to_owned()).await.unwrap();
    let due = ann.due("tea".to_owned()).await.unwrap();
    assert_eq!(due, Some(sim.now() + Duration::from_secs(600)));

    // Virtual time: ten minutes pass at once, and a crash loses no alarm.
    sim.advance(Duration::from_secs(90)).await;
    sim.crash().await;
    sim.advance(Duration::from_secs(600)).await;
    assert_eq!(
        ann.delivered().await.unwrap(),
        [
            "bus: run, as asked 60 s before",
            "tea: it is cold, as asked 600 s before"
        ]
    );
    assert_eq!(ann.due("tea".to_owned()).await.unwrap(), None);
}

#[anchorhold::test]
async fn what_fails_is_tried_again_and_holds_up_nobody(sim: Sim) {
    let ann = sim.objects::<Reminders>().named("ann");
    ann.fail_next(2).await.unwrap();
    remind(&ann, "tea", "it is ready", 10).await;
    sim.advance(Duration::from_secs(11)).await;
    assert!(ann.delivered().await.unwrap().is_empty());
    // 2 s and 4 s, and up to a quarter more.
    sim.advance(Duration::from_secs(8)).await;
    assert_eq!(ann.delivered().await.unwrap().len(), 1);
}
