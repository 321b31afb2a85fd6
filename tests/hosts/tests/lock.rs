//! The lock on both hosts: its interface, its order, and its guarantees while the host is killed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, RwLock};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anchorhold::objects::lock::{Fence, Lease, Mode, Status};
use host_tests::{Answer, Caller, Client, Host, Kind, Unanswered, demo, eventually};
use serde_json::{Value, json};

fn start(kind: Kind) -> Host {
    Host::start(kind, &demo(env!("CARGO_BIN_EXE_embedded-demo")))
}

#[track_caller]
fn refused(answer: &Answer, status: u16, code: &str) {
    let found = (answer.status, answer.error_code());
    assert_eq!(found, (status, Some(code.to_owned())), "{}", answer.text());
}

fn status(lock: &Client) -> Status {
    lock.get("").json()
}

fn until_waiting(lock: &Client, waiting: usize) {
    eventually(Duration::from_secs(20), || {
        (status(lock).waiting == waiting).then_some(())
    })
    .unwrap_or_else(|| panic!("{waiting} wait; the status is {:?}", status(lock)));
}

#[test]
fn it_answers_as_the_contract_says() {
    for kind in Kind::BOTH {
        let host = start(kind);
        let lock = host.client().at("/locks/a");
        let free =
            json!({ "held": false, "holder": null, "token": 0, "expires_at": null, "waiting": 0 });
        assert_eq!(lock.get("").json::<Value>(), free);
        let acquire = json!({ "holder": "ann", "ttl_ms": 30_000, "wait_ms": 0, "request_id": "r" });
        let answer: Value = lock.post("/acquire", &acquire).json();
        let lease: Lease = serde_json::from_value(answer.clone()).expect("a lease");
        assert_eq!(
            answer.as_object().map(serde_json::Map::len),
            Some(3),
            "{answer}"
        );
        assert_eq!(lease.lease.len(), 32);
        assert_eq!(
            lock.post("/acquire", &acquire).json::<Lease>(),
            lease,
            "again: the same"
        );
        let seen: Value = lock.get("").json();
        let expected = json!({
            "held": true, "holder": "ann", "token": lease.token, "expires_at": lease.expires_at, "waiting": 0
        });
        assert_eq!(seen, expected, "and never the lease");
        let inspection = lock.get("/inspect").text();
        assert!(
            !inspection.contains(&lease.lease) && !inspection.contains("\"r\""),
            "{inspection}"
        );

        refused(
            &lock.post("/acquire", json!({ "holder": "bob", "ttl_ms": 5 })),
            409,
            "held",
        );
        let renewed: Lease = lock
            .post("/renew", json!({ "lease": lease.lease, "ttl_ms": 60_000 }))
            .json();
        assert_eq!((renewed.token, &renewed.lease), (lease.token, &lease.lease));
        assert!(renewed.expires_at > lease.expires_at);
        refused(
            &lock.post("/renew", json!({ "lease": "x", "ttl_ms": 60_000 })),
            409,
            "lost",
        );
        refused(&lock.post("/release", json!({ "lease": "x" })), 409, "lost");
        lock.post("/release", json!({ "lease": lease.lease }))
            .done();
        refused(
            &lock.post("/release", json!({ "lease": lease.lease })),
            409,
            "lost",
        );

        for (path, body, field) in [
            ("/acquire", json!({ "holder": "a", "ttl_ms": 0 }), "ttl_ms"),
            ("/acquire", json!({ "holder": "", "ttl_ms": 1 }), "holder"),
            (
                "/acquire",
                json!({ "holder": "a", "ttl_ms": 1, "wait_ms": 300_001 }),
                "wait_ms",
            ),
            (
                "/acquire",
                json!({ "holder": "a", "ttl_ms": 1, "by": 1 }),
                "by",
            ),
            ("/acquire", json!({ "ttl_ms": 1 }), "holder"),
            ("/renew", json!({ "lease": "x" }), "ttl_ms"),
            ("/release", json!({ "lease": "x", "by": 1 }), "by"),
            ("/cancel", json!({ "request_id": "" }), "request_id"),
        ] {
            let answer = lock.post(path, &body);
            refused(&answer, 400, "bad_request");
            let message = answer.error_message().unwrap_or_default();
            assert!(
                message.contains(&format!("`{field}`")),
                "{kind}: {body}: {message}"
            );
        }
        let method = lock.send("GET", "/acquire", &[], None).expect("an answer");
        let allow = method.header("allow");
        assert_eq!((method.status, allow), (405, Some("POST, OPTIONS")));
        // Breaking it requires an administrator, which the caller is not.
        assert_eq!(
            lock.post("/break", json!({ "by": "a", "reason": "b" }))
                .status,
            404
        );
    }
}

#[test]
fn an_expired_holder_is_refused_and_its_token_is_stale() {
    for kind in Kind::BOTH {
        let host = start(kind);
        let lock = host.client().at("/locks/a");
        let request = json!({ "holder": "ann", "ttl_ms": 300 });
        let expired: Lease = lock.post("/acquire", request).json();
        // Only the expiry wakes the waiting caller.
        let request = json!({ "holder": "bob", "ttl_ms": 30_000, "wait_ms": 30_000 });
        let next: Lease = lock.post("/acquire", request).json();
        assert!(next.token > expired.token, "{kind}");
        let renew = json!({ "lease": expired.lease, "ttl_ms": 1_000 });
        refused(&lock.post("/renew", renew), 409, "lost");
        refused(
            &lock.post("/release", json!({ "lease": expired.lease })),
            409,
            "lost",
        );
        assert_eq!(status(&lock).holder.as_deref(), Some("bob"), "{kind}");
        let mut fence = Fence::default();
        fence.admit(next.token).expect("the first token");
        fence.admit(expired.token).expect_err("a stale token");
    }
}

#[test]
fn waiters_are_served_in_their_order_and_the_others_are_skipped() {
    const WAITERS: usize = 10;
    for kind in Kind::BOTH {
        let host = start(kind);
        let lock = &host.client().at("/locks/a");
        let first: Lease = lock
            .post("/acquire", json!({ "holder": "first", "ttl_ms": 60_000 }))
            .json();
        let order = &Mutex::new(Vec::new());
        thread::scope(|scope| {
            for number in 0..WAITERS {
                scope.spawn(move || {
                    let brief = number == 3;
                    let request = json!({
                        "holder": number.to_string(), "ttl_ms": 60_000, "request_id": number.to_string(),
                        "wait_ms": if brief { 1_500 } else { 60_000 },
                    });
                    let answer = lock.post("/acquire", request);
                    match number {
                        3 => refused(&answer, 409, "held"),
                        5 => refused(&answer, 409, "cancelled"),
                        _ => {
                            let lease: Lease = answer.json();
                            order.lock().expect("no panic").push((lease.token, number));
                            lock.post("/release", json!({ "lease": lease.lease })).done();
                        }
                    }
                });
                if number < 3 {
                    until_waiting(lock, number + 1);
                } else {
                    // Number 3 may already be gone.
                    let name = number.to_string();
                    eventually(Duration::from_secs(20), || {
                        let inspection = lock.get("/inspect").text();
                        inspection
                            .contains(&format!("\"holder\":\"{name}\""))
                            .then_some(())
                    })
                    .expect("it waits");
                }
            }
            let cancelled: Value = lock.post("/cancel", json!({ "request_id": "5" })).json();
            assert_eq!(cancelled, "waiting");
            until_waiting(lock, WAITERS - 2);
            lock.post("/release", json!({ "lease": first.lease }))
                .done();
        });
        let order = order.lock().expect("no panic");
        assert!(
            order.is_sorted_by(|(one, _), (next, _)| one < next),
            "{kind}: {order:?}"
        );
        let served: Vec<_> = order.iter().map(|(_, waiter)| *waiter).collect();
        assert_eq!(served, [0, 1, 2, 4, 6, 7, 8, 9], "{kind}");
    }
}

fn a_waiter_is_skipped(kind: Kind, hang_up: fn(Unanswered)) {
    let demo = demo(env!("CARGO_BIN_EXE_embedded-demo"));
    let host = Host::start(kind, &demo.with_flag("enable_request_signal"));
    // On the embedded host some of them are on another thread than the connection.
    for name in ["a", "b", "c", "d"] {
        let lock = &host.client().at(&format!("/locks/{name}"));
        let held: Lease = lock
            .post("/acquire", json!({ "holder": "ann", "ttl_ms": 60_000 }))
            .json();
        let request =
            |holder: &str| json!({ "holder": holder, "ttl_ms": 60_000, "wait_ms": 60_000 });
        let hangs_up = lock.post_unanswered("/acquire", request("bob"));
        until_waiting(lock, 1);
        thread::scope(|scope| {
            let next = scope.spawn(|| lock.post("/acquire", request("cid")).json::<Lease>());
            until_waiting(lock, 2);
            hang_up(hangs_up);
            until_waiting(lock, 1);
            lock.post("/release", json!({ "lease": held.lease })).done();
            let next = next.join().expect("it is served");
            assert!(next.token > held.token, "{kind}");
        });
    }
}

#[test]
fn a_waiter_that_closed_its_connection_is_skipped_on_the_embedded_host() {
    a_waiter_is_skipped(Kind::Embedded, Unanswered::close);
    a_waiter_is_skipped(Kind::Embedded, Unanswered::reset);
}

/// workerd does not notice that a connection was closed cleanly while it still owes the answer.
#[test]
fn a_waiter_whose_connection_was_reset_is_skipped_on_workerd() {
    a_waiter_is_skipped(Kind::Workerd, Unanswered::reset);
}

/// When a client knew that it held a lease.
#[derive(Debug)]
struct Seen {
    token: u64,
    mode: Mode,
    from: Duration,
    until: Duration,
}

fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// The shared state of the clients of one history.
struct History {
    lock: RwLock<Client>,
    seen: Mutex<Vec<Seen>>,
    /// The protected resource, which outlives the host.
    fence: Mutex<Fence>,
    answered: AtomicU64,
}

/// Knuth's generator, which is sufficient to vary a history.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn pause(&mut self, below: u64) {
        thread::sleep(Duration::from_millis(self.below(below)));
    }
}

impl History {
    /// Retries a call that broke off, on the host that is then running. The second value tells
    /// whether this was needed.
    fn insist(&self, path: &str, body: &Value) -> (Answer, bool) {
        let mut repeated = false;
        loop {
            let lock = self.lock.read().expect("no panic").clone();
            if let Ok(answer) = lock.send_json("POST", path, body)
                && answer.status != 503
            {
                self.answered.fetch_add(1, Ordering::Relaxed);
                return (answer, repeated);
            }
            repeated = true;
            thread::sleep(Duration::from_millis(30));
        }
    }

    fn client(&self, number: u64) {
        let mut random = Random(number);
        for round in 0..5 {
            let ttl = 60 + random.below(300);
            let shared = random.below(3) == 0;
            let id = format!("{number} {round}");
            let body = json!({
                "holder": number.to_string(), "ttl_ms": ttl, "request_id": id,
                "wait_ms": random.below(5) * 2_000, "mode": if shared { "shared" } else { "exclusive" },
            });
            let (answer, _) = self.insist("/acquire", &body);
            if answer.status == 200 {
                self.hold(&mut random, &answer.json(), ttl, shared);
            } else {
                refused(&answer, 409, "held");
            }
            random.pause(50);
        }
    }

    fn hold(&self, random: &mut Random, lease: &Lease, ttl: u64, shared: bool) {
        let from = now();
        let mut expires = millis(lease);
        if !shared {
            let admitted = self.fence.lock().expect("no panic").admit(lease.token);
            assert!(
                admitted.is_ok() || now() >= expires,
                "{lease:?}: {admitted:?}"
            );
        }
        random.pause(ttl * 3 / 2);
        if random.below(3) == 0 {
            let body = json!({ "lease": lease.lease, "ttl_ms": ttl });
            let (answer, _) = self.insist("/renew", &body);
            if answer.status == 200 {
                let renewed: Lease = answer.json();
                assert_eq!((renewed.token, &renewed.lease), (lease.token, &lease.lease));
                expires = millis(&renewed);
            } else {
                refused(&answer, 409, "lost");
                assert!(now() >= expires, "{lease:?} was lost early");
            }
        }
        // Until the release, or the expiry.
        let mut until = expires;
        if random.below(4) > 0 {
            until = until.min(now());
            let (answer, repeated) = self.insist("/release", &json!({ "lease": lease.lease }));
            if answer.status != 204 {
                refused(&answer, 409, "lost");
                assert!(repeated || now() >= expires, "{lease:?} was lost early");
            }
        }
        self.seen.lock().expect("no panic").push(Seen {
            token: lease.token,
            mode: if shared {
                Mode::Shared
            } else {
                Mode::Exclusive
            },
            from,
            until,
        });
    }
}

fn millis(lease: &Lease) -> Duration {
    Duration::from_millis(lease.expires_at.as_millis().unsigned_abs())
}

fn history(kind: Kind) {
    const CLIENTS: u64 = 32;
    const KILLS: u64 = 3;
    let mut host = start(kind);
    let history = History {
        lock: RwLock::new(host.client().at("/locks/a")),
        seen: Mutex::default(),
        fence: Mutex::default(),
        answered: AtomicU64::new(0),
    };
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let history = &history;
                scope.spawn(move || history.client(number))
            })
            .collect();
        for kill in 0..KILLS {
            // During the work, each time at another point.
            let goal = history.answered.load(Ordering::Relaxed) + 30 + 10 * kill;
            eventually(Duration::from_secs(30), || {
                let done = clients.iter().all(thread::ScopedJoinHandle::is_finished);
                (done || history.answered.load(Ordering::Relaxed) >= goal).then_some(())
            })
            .expect("calls are answered");
            host.kill();
            host.restart();
            *history.lock.write().expect("no panic") = host.client().at("/locks/a");
        }
    });
    let mut seen = history.seen.into_inner().expect("no panic");
    seen.sort_by_key(|seen| seen.token);
    assert!(seen.len() > 50, "{kind}: {} leases", seen.len());
    for (index, one) in seen.iter().enumerate() {
        for later in &seen[index + 1..] {
            assert_ne!(one.token, later.token, "{kind}: one token for two");
            let both_shared = (one.mode, later.mode) == (Mode::Shared, Mode::Shared);
            assert!(
                both_shared || one.until <= later.from,
                "{kind}: {one:?} overlaps {later:?}"
            );
        }
    }
    let lock = host.client().at("/locks/a");
    let last = seen.last().map_or(0, |seen| seen.token);
    let next = json!({ "holder": "last", "ttl_ms": 1_000, "wait_ms": 30_000 });
    let lease: Lease = lock.post("/acquire", next).json();
    assert!(lease.token > last, "{kind}: {} after {last}", lease.token);
}

#[test]
fn no_history_breaks_the_exclusion_on_the_embedded_host() {
    history(Kind::Embedded);
}

#[test]
fn no_history_breaks_the_exclusion_on_workerd() {
    history(Kind::Workerd);
}

#[test]
fn a_worker_in_javascript_takes_and_returns_it() {
    let caller = Caller::start(&demo(env!("CARGO_BIN_EXE_embedded-demo")), "LOCK", "x");
    let call = |method: &str, values: Value| caller.call(method, values);
    let request = |holder: &str| json!([{ "holder": holder, "ttl_ms": 60_000 }]);
    let lease = call("acquire", request("ann"))["value"].take();
    assert!(lease["token"].as_u64() > Some(0), "{lease}");
    let error = call("acquire", request("bob"))["error"].take();
    assert_eq!(
        (&error["code"], &error["status"]),
        (&json!("held"), &json!(409)),
        "{error}"
    );
    let waits = json!([{ "holder": "cid", "ttl_ms": 60_000, "wait_ms": 60_000 }]);
    let next = thread::scope(|scope| {
        let waiting = scope.spawn(|| call("acquire", waits)["value"].take());
        eventually(Duration::from_secs(20), || {
            (call("status", json!([]))["value"]["waiting"] == 1).then_some(())
        })
        .expect("it waits");
        let released = call("release", json!([{ "lease": lease["lease"] }]));
        assert_eq!(released["value"], Value::Null, "{released}");
        waiting.join().expect("it is served")
    });
    assert!(next["token"].as_u64() > lease["token"].as_u64(), "{next}");
    let order = json!([{ "by": "root", "reason": "a test" }]);
    let broken = call("breakLock", order)["value"].take();
    assert_eq!(
        (
            &broken["leases"][0]["holder"],
            &broken["leases"][0]["token"]
        ),
        (&json!("cid"), &next["token"])
    );
    assert_eq!(call("broken", json!([]))["value"], json!([broken]));
    let renewal = json!([{ "lease": next["lease"], "ttl_ms": 1_000 }]);
    assert_eq!(call("renew", renewal)["error"]["code"], "lost");
}
