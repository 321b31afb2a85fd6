//! Locks: an acknowledged lease is kept until its expiry, no two are valid at once, and tokens
//! grow.

use std::sync::Mutex;

use anchorhold::objects::lock::{Lease, Status};
use host_tests::Client;
use serde_json::{Value, json};

use super::{Load, Shift, now_ms};

/// One worker takes a lease and keeps it. The others contend.
const CONTENDERS: u64 = 6;
const KEPT_FOR_MS: u64 = 120_000;

/// A lease as its holder knows it: from the answer until the release or the expiry.
#[derive(Clone, Debug)]
struct Held {
    token: u64,
    from: u64,
    until: u64,
}

#[derive(Default)]
pub struct Locks {
    seen: Mutex<Vec<Held>>,
    /// The lease that is kept across this round's kill.
    kept: Mutex<Option<Lease>>,
    /// The highest token of the kept lock.
    highest: Mutex<u64>,
}

fn expiry(lease: &Lease) -> u64 {
    lease.expires_at.as_millis().unsigned_abs()
}

fn keeper(round: u64) -> Value {
    let request = format!("kept in round {round}");
    json!({ "holder": "keeper", "ttl_ms": KEPT_FOR_MS, "wait_ms": 0, "request_id": request })
}

impl Locks {
    fn contend(&self, shift: &Shift<'_>) -> Result<(), String> {
        let mut random = shift.random();
        let ttl = 40 + random.below(200);
        let body = json!({ "holder": shift.worker.to_string(), "ttl_ms": ttl, "wait_ms": 2_000 });
        let answer = shift
            .client
            .send_json("POST", "/locks/hot/acquire", &body)?;
        if answer.status == 409 {
            return Ok(());
        }
        let lease: Lease = answer.json();
        let from = now_ms();
        shift.acknowledged.count();
        random.pause(10);
        // Until a release can have been carried out, or until the expiry without a release.
        let mut until = expiry(&lease);
        if random.below(4) > 0 {
            until = until.min(now_ms());
            let body = json!({ "lease": lease.lease });
            let released = shift.client.send_json("POST", "/locks/hot/release", &body);
            self.note(lease.token, from, until);
            released?;
            return Ok(());
        }
        self.note(lease.token, from, until);
        Ok(())
    }

    fn note(&self, token: u64, from: u64, until: u64) {
        let held = Held { token, from, until };
        self.seen.lock().expect("no panic while locked").push(held);
    }

    fn note_kept(&self, lease: &Lease) {
        let mut highest = self.highest.lock().expect("no panic while locked");
        assert!(
            lease.token > *highest,
            "token {} after {highest}",
            lease.token
        );
        *highest = lease.token;
    }

    /// Takes the kept lock's lease, and renews it until the host is killed.
    fn keep(&self, shift: &Shift<'_>) -> Result<(), String> {
        let body = keeper(shift.round);
        let answer = shift
            .client
            .send_json("POST", "/locks/kept/acquire", &body)?;
        let mut lease: Lease = answer.json();
        self.note_kept(&lease);
        loop {
            *self.kept.lock().expect("no panic while locked") = Some(lease.clone());
            shift.acknowledged.count();
            let body = json!({ "lease": lease.lease, "ttl_ms": KEPT_FOR_MS });
            let renewed: Lease = shift
                .client
                .send_json("POST", "/locks/kept/renew", &body)?
                .json();
            assert_eq!(renewed.token, lease.token);
            lease = renewed;
        }
    }

    fn check_kept(&self, client: &Client, round: u64) -> Result<(), String> {
        let lock = client.at("/locks/kept");
        let kept = self.kept.lock().expect("no panic while locked").take();
        let Some(lease) = kept else {
            // The answer was lost. The same request is answered with the lease if there is one.
            let lease: Lease = lock.post("/acquire", keeper(round)).json();
            self.note_kept(&lease);
            lock.post("/release", json!({ "lease": lease.lease }))
                .done();
            return Ok(());
        };
        let status: Status = lock.get("").json();
        let found = status.expires_at.map(|at| at.as_millis().unsigned_abs());
        if !status.held || status.token != lease.token || found < Some(expiry(&lease)) {
            return Err(format!("{lease:?} was acknowledged; there is {status:?}"));
        }
        let other = json!({ "holder": "other", "ttl_ms": 1_000, "wait_ms": 0 });
        let refused = lock.post("/acquire", &other);
        if refused.status != 409 {
            return Err(format!(
                "{lease:?} lives, and another got {}",
                refused.text()
            ));
        }
        let body = json!({ "lease": lease.lease, "ttl_ms": KEPT_FOR_MS });
        let renewed = lock.post("/renew", &body);
        if renewed.status != 200 {
            return Err(format!("{lease:?} is lost: {}", renewed.text()));
        }
        lock.post("/release", json!({ "lease": lease.lease }))
            .done();
        Ok(())
    }

    fn check_exclusion(&self) -> Result<(), String> {
        let mut seen = self.seen.lock().expect("no panic while locked").clone();
        seen.sort_by_key(|held| held.token);
        for pair in seen.windows(2) {
            if pair[0].token == pair[1].token {
                return Err(format!("one token for two: {pair:?}"));
            }
        }
        let mut latest: Option<&Held> = None;
        for held in &seen {
            // Compared with the lease among the earlier tokens that was valid longest.
            if let Some(earlier) = latest.filter(|earlier| earlier.until > held.from) {
                return Err(format!("{earlier:?} overlaps {held:?}"));
            }
            if latest.is_none_or(|latest| held.until > latest.until) {
                latest = Some(held);
            }
        }
        Ok(())
    }
}

impl Load for Locks {
    fn workers(&self) -> u64 {
        CONTENDERS + 1
    }

    fn work(&self, shift: &Shift<'_>) -> Result<(), String> {
        if shift.worker == 0 {
            self.keep(shift)
        } else {
            self.contend(shift)
        }
    }

    fn check(&self, client: &Client, round: u64) -> Result<(), String> {
        self.check_kept(client, round)?;
        let highest = {
            let seen = self.seen.lock().expect("no panic while locked");
            seen.iter().map(|held| held.token).max().unwrap_or(0)
        };
        let body = json!({ "holder": "checker", "ttl_ms": 1_000, "wait_ms": 20_000 });
        let lease: Lease = client.post("/locks/hot/acquire", &body).json();
        let from = now_ms();
        if lease.token <= highest {
            return Err(format!("token {} after {highest}", lease.token));
        }
        self.note(lease.token, from, now_ms());
        client
            .post("/locks/hot/release", json!({ "lease": lease.lease }))
            .done();
        self.check_exclusion()
    }

    fn conclude(&self, _: &Client) -> Result<(), String> {
        self.check_exclusion()
    }
}
