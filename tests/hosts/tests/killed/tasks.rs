//! A scheduled task: each planned time is served once, and one run is pending.

use std::collections::BTreeMap;
use std::sync::Mutex;

use host_tests::{Client, eventually};
use serde_json::{Value, json};

use super::{Load, PATIENCE, Shift, ok};

const EVERY_MS: i64 = 400;

/// The planned times that were observed, by the number of the run. What was observed is durable.
#[derive(Default)]
pub struct Tasks {
    seen: Mutex<BTreeMap<u64, i64>>,
    is_started: Mutex<bool>,
}

impl Tasks {
    fn look(&self, client: &Client) -> Result<u64, String> {
        let runs: Vec<Value> = client
            .send("GET", "/tasks/beat/runs?limit=32", &[], None)?
            .json();
        let mut seen = self.seen.lock().expect("no panic while locked");
        for run in &runs {
            let number = run["number"].as_u64().expect("a number");
            let scheduled = run["scheduled"].as_i64().expect("not by hand");
            let started = run["started"].as_i64().expect("a time");
            assert!(started >= scheduled, "early: {run}");
            let earlier = seen.insert(number, scheduled);
            assert!(
                earlier.is_none_or(|earlier| earlier == scheduled),
                "run {number} was for {earlier:?}, and is for {scheduled} now"
            );
        }
        let last = seen.last_key_value().map_or(0, |(number, _)| *number);
        let newest = runs.first().and_then(|run| run["number"].as_u64());
        assert!(
            newest.unwrap_or(0) >= last,
            "run {last} was seen, and the last is {newest:?}"
        );
        Ok(last)
    }

    /// Checks that each run is for the time after that of the previous run.
    fn check_beat(&self) -> Result<(), String> {
        let seen = self.seen.lock().expect("no panic while locked");
        let runs: Vec<(&u64, &i64)> = seen.iter().collect();
        for pair in runs.windows(2) {
            let ((number, time), (next, later)) = (pair[0], pair[1]);
            let steps = i64::try_from(next - number).expect("few runs");
            if later - time != steps * EVERY_MS {
                return Err(format!(
                    "run {number} was for {time}, run {next} for {later}: each time of the plan is served once"
                ));
            }
        }
        Ok(())
    }
}

impl Load for Tasks {
    fn workers(&self) -> u64 {
        1
    }

    fn work(&self, shift: &Shift<'_>) -> Result<(), String> {
        let mut is_started = self.is_started.lock().expect("no panic while locked");
        if !*is_started {
            let status: Value = shift.client.send("GET", "/tasks/beat", &[], None)?.json();
            // A start whose answer was lost may have been carried out. Another start begins a new
            // beat.
            if status["running"] == false {
                let plan = json!({ "every_ms": EVERY_MS, "on_missed": "catch_up" });
                let answer = shift.client.send_json("POST", "/tasks/beat/start", &plan)?;
                answer.done();
            }
            *is_started = true;
            shift.acknowledged.count();
        }
        drop(is_started);
        self.look(shift.client)?;
        shift.random().pause(40);
        Ok(())
    }

    fn check(&self, client: &Client, _: u64) -> Result<(), String> {
        if !*self.is_started.lock().expect("no panic while locked") {
            return Ok(());
        }
        self.look(client)?;
        // While a run is under way, the next is not known yet.
        let pending = eventually(PATIENCE, || {
            let status: Value = ok(client.send("GET", "/tasks/beat", &[], None)).json();
            (status["running"] == true && status["next_run"].is_number()).then_some(())
        });
        if pending.is_none() {
            return Err("no run is pending, and the task is started".to_owned());
        }
        self.check_beat()
    }

    fn conclude(&self, client: &Client) -> Result<(), String> {
        let last = self.look(client)?;
        eventually(PATIENCE, || {
            (ok(self.look(client)) > last + 1).then_some(())
        })
        .ok_or_else(|| format!("the task has not run since its run {last}"))?;
        self.check_beat()
    }
}
