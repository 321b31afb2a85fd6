//! Turns that write a stored collection and two keys. All three are stored, or none.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use conformance::Ledger;
use host_tests::Client;
use serde_json::json;

use super::{Load, Shift, ok};

/// This many rounds write into one object, whose whole ledger is read.
const ROUNDS_OF_AN_OBJECT: u64 = 5;

/// What was acknowledged, by object.
#[derive(Default)]
pub struct Transactions {
    acknowledged: Mutex<BTreeMap<String, BTreeSet<u64>>>,
    next: Mutex<u64>,
}

fn object(round: u64) -> String {
    format!("/gates/ledger-{}", round / ROUNDS_OF_AN_OBJECT)
}

impl Transactions {
    fn compare(&self, client: &Client, object: &str) -> Result<(), String> {
        let Ledger {
            field,
            first,
            second,
        } = ok(client.send("GET", &format!("{object}/ledger"), &[], None)).json();
        let [field, first, second] = [field, first, second].map(BTreeSet::from_iter);
        if field != first || first != second {
            return Err(format!(
                "{object}: writes of one turn differ: {:?} {:?}",
                first.symmetric_difference(&second),
                field.symmetric_difference(&first)
            ));
        }
        let acknowledged = self.acknowledged.lock().expect("no panic while locked");
        let promised = acknowledged.get(object).cloned().unwrap_or_default();
        let lost: Vec<&u64> = promised.difference(&first).collect();
        if lost.is_empty() {
            return Ok(());
        }
        Err(format!("{object}: acknowledged writes are lost: {lost:?}"))
    }
}

impl Load for Transactions {
    fn workers(&self) -> u64 {
        4
    }

    fn work(&self, shift: &Shift<'_>) -> Result<(), String> {
        let number = {
            let mut next = self.next.lock().expect("no panic while locked");
            *next += 1;
            *next
        };
        let object = object(shift.round);
        let body = json!({ "number": number });
        let path = format!("{object}/write");
        let written: u64 = shift.client.send_json("POST", &path, &body)?.json();
        self.acknowledged
            .lock()
            .expect("no panic while locked")
            .entry(object)
            .or_default()
            .insert(written);
        shift.acknowledged.count();
        Ok(())
    }

    fn check(&self, client: &Client, round: u64) -> Result<(), String> {
        self.compare(client, &object(round))
    }

    fn conclude(&self, client: &Client) -> Result<(), String> {
        let objects: Vec<String> = {
            let acknowledged = self.acknowledged.lock().expect("no panic while locked");
            acknowledged.keys().cloned().collect()
        };
        objects
            .iter()
            .try_for_each(|object| self.compare(client, object))
    }
}
