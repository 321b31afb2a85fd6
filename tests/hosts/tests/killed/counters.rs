//! Counters: each acknowledged value was returned once, and none is lost.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use host_tests::Client;
use serde_json::json;

use super::{Load, Shift, ok};

const COUNTERS: usize = 4;

/// What the clients of one counter have sent and received.
#[derive(Default)]
struct Tally {
    sent: AtomicI64,
    acknowledged: Mutex<BTreeSet<i64>>,
}

#[derive(Default)]
pub struct Counters([Tally; COUNTERS]);

impl Load for Counters {
    fn workers(&self) -> u64 {
        12
    }

    fn work(&self, shift: &Shift<'_>) -> Result<(), String> {
        let number = usize::try_from(shift.worker).expect("few workers") % COUNTERS;
        let tally = &self.0[number];
        tally.sent.fetch_add(1, Ordering::SeqCst);
        let path = format!("/counters/{number}/increment");
        let answer = shift.client.send_json("POST", &path, &json!({ "by": 1 }))?;
        let value: i64 = answer.json();
        let is_new = tally
            .acknowledged
            .lock()
            .expect("no panic while locked")
            .insert(value);
        assert!(
            is_new,
            "counter {number} gave {value} twice: a write is lost"
        );
        shift.acknowledged.count();
        Ok(())
    }

    fn check(&self, client: &Client, _: u64) -> Result<(), String> {
        for (number, tally) in self.0.iter().enumerate() {
            let value: i64 =
                ok(client.send("GET", &format!("/counters/{number}"), &[], None)).json();
            let acknowledged = tally.acknowledged.lock().expect("no panic while locked");
            let (least, most) = (
                acknowledged.last().copied().unwrap_or(0),
                tally.sent.load(Ordering::SeqCst),
            );
            if !(least..=most).contains(&value) {
                return Err(format!(
                    "counter {number} is {value}; {least} was acknowledged, {most} increments were sent"
                ));
            }
        }
        Ok(())
    }

    fn conclude(&self, client: &Client) -> Result<(), String> {
        self.check(client, 0)
    }
}
