//! Alarms: each acknowledged run happens, even if no request reaches its object. One run is pending
//! for each key.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use conformance::{Planned, Ring};
use host_tests::{Client, eventually};
use serde_json::json;

use super::{Load, PATIENCE, Shift, now_ms, ok};

const WORKERS: u64 = 3;
/// After this many rounds every run has ended, even one whose first try was killed.
const SETTLED: u64 = 6;
const AN_HOUR_MS: u64 = 3_600_000;

#[derive(Default)]
pub struct Alarms {
    /// Acknowledged runs, by object.
    promised: Mutex<BTreeMap<String, BTreeSet<String>>>,
    /// The times of runs that are due in an hour, by object.
    distant: Mutex<BTreeMap<String, i64>>,
    /// Objects with one run each. They receive no requests until the end.
    silent: Mutex<BTreeMap<String, i64>>,
    next: Mutex<u64>,
}

fn object(round: u64, worker: u64) -> String {
    format!("/alarms/{round}-{worker}")
}

fn schedule(client: &Client, object: &str, key: &str, ms: u64) -> Result<i64, String> {
    let body = json!({ "key": key, "ms": ms, "conduct": "Succeed" });
    let answer = client.send_json("POST", &format!("{object}/schedule-after"), &body)?;
    let planned: Planned = answer.json();
    Ok(planned
        .next
        .expect("what was scheduled is pending")
        .as_millis())
}

fn rung(client: &Client, object: &str) -> Vec<Ring> {
    ok(client.send("GET", &format!("{object}/rings"), &[], None)).json()
}

impl Alarms {
    /// Checks that every acknowledged run of an object happened, or happens soon.
    fn compare(&self, client: &Client, object: &str) -> Result<(), String> {
        let promised = {
            let promised = self.promised.lock().expect("no panic while locked");
            promised.get(object).cloned().unwrap_or_default()
        };
        let missing = || {
            let rings = rung(client, object).into_iter();
            let keys: BTreeSet<String> = rings.map(|ring| ring.key).collect();
            let missing = promised.difference(&keys);
            missing.cloned().collect::<Vec<_>>()
        };
        let all = eventually(PATIENCE, || missing().is_empty().then_some(()));
        if all.is_none() {
            return Err(format!("{object}: these runs are lost: {:?}", missing()));
        }
        for ring in rung(client, object) {
            if ring.started < ring.scheduled {
                return Err(format!("{object}: early: {ring:?}"));
            }
        }
        Ok(())
    }

    fn compare_distant(&self, client: &Client, round: u64) -> Result<(), String> {
        for worker in 0..WORKERS {
            let object = object(round, worker);
            let promised = {
                let distant = self.distant.lock().expect("no panic while locked");
                distant.get(&object).copied()
            };
            let path = format!("{object}/next?key=distant");
            let planned: Planned = ok(client.send("GET", &path, &[], None)).json();
            let next = planned.next.map(|next| next.as_millis());
            if promised.is_some() && next != promised {
                return Err(format!(
                    "{object}: a run at {promised:?} was acknowledged, {next:?} is pending"
                ));
            }
        }
        Ok(())
    }
}

impl Load for Alarms {
    fn workers(&self) -> u64 {
        WORKERS
    }

    fn work(&self, shift: &Shift<'_>) -> Result<(), String> {
        let number = {
            let mut next = self.next.lock().expect("no panic while locked");
            *next += 1;
            *next
        };
        let object = object(shift.round, shift.worker);
        let is_first = {
            let distant = self.distant.lock().expect("no panic while locked");
            !distant.contains_key(&object)
        };
        if is_first {
            let silent = format!("/alarms/silent-{}-{}", shift.round, shift.worker);
            let at = schedule(shift.client, &silent, "once", 100)?;
            self.silent
                .lock()
                .expect("no panic while locked")
                .insert(silent, at);
            // An earlier run, scheduled while this one is pending, must not wait for it.
            let at = schedule(shift.client, &object, "distant", AN_HOUR_MS)?;
            self.distant
                .lock()
                .expect("no panic while locked")
                .insert(object.clone(), at);
        }
        let key = shift.unique(number);
        let ms = shift.random().below(2) * (number % 300);
        schedule(shift.client, &object, &key, ms)?;
        self.promised
            .lock()
            .expect("no panic while locked")
            .entry(object)
            .or_default()
            .insert(key);
        shift.acknowledged.count();
        Ok(())
    }

    fn check(&self, client: &Client, round: u64) -> Result<(), String> {
        self.compare_distant(client, round)?;
        let Some(settled) = round.checked_sub(SETTLED) else {
            return Ok(());
        };
        (0..WORKERS).try_for_each(|worker| self.compare(client, &object(settled, worker)))
    }

    fn conclude(&self, client: &Client) -> Result<(), String> {
        let objects: Vec<String> = {
            let promised = self.promised.lock().expect("no panic while locked");
            promised.keys().cloned().collect()
        };
        objects
            .iter()
            .try_for_each(|object| self.compare(client, object))?;
        // A request would wake the object, so none is sent until the run must have happened
        // automatically. It was due after 100 ms, and a killed try is repeated after 2 s.
        std::thread::sleep(Duration::from_secs(4));
        let silent = self.silent.lock().expect("no panic while locked");
        for (object, at) in silent.iter() {
            let asked = now_ms();
            let rings = rung(client, object);
            let by_itself = rings
                .iter()
                .any(|ring| ring.started.as_millis().unsigned_abs() < asked);
            if !by_itself {
                return Err(format!(
                    "{object}: due at {at}, it had not run by itself when it was asked at {asked}: {rings:?}"
                ));
            }
        }
        Ok(())
    }
}
