//! A random history of 32 clients, with crashes in the middle and evictions in between.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use anchorhold::objects::Lock;
use anchorhold::objects::lock::{Acquire, Lease, LockError, Mode, Release, Renew};
use anchorhold::prelude::*;

use crate::fencing::{Ledger, LedgerStub};

type LockStub = <Lock as DurableObject>::Stub;

const CLIENTS: u64 = 32;
const ROUNDS: u64 = 3;
const REQUESTS: u64 = 5;
const CRASHES: usize = 6;

/// When a client knew itself to hold a lease: a part of the time that it did.
#[derive(Clone, Debug)]
struct Seen {
    token: u64,
    mode: Mode,
    from: Timestamp,
    until: Timestamp,
}

struct Client {
    sim: Sim,
    lock: LockStub,
    ledger: LedgerStub,
    number: u64,
    random: Cell<u64>,
    seen: Rc<RefCell<Vec<Seen>>>,
}

impl Client {
    fn below(&self, bound: u64) -> u64 {
        // Knuth's generator: enough to vary a history.
        let next = self
            .random
            .get()
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.random.set(next);
        (next >> 33) % bound
    }

    async fn pause(&self, below: u64) {
        tokio::time::sleep(Duration::from_millis(self.below(below))).await;
    }

    async fn run(self, round: u64) {
        for request in 0..REQUESTS {
            self.pause(300).await;
            self.one(&format!("{round} {} {request}", self.number))
                .await;
        }
    }

    async fn one(&self, id: &str) {
        let ttl = Duration::from_millis(50 + self.below(900));
        let mut request = Acquire::new(self.number.to_string(), ttl)
            .wait(Duration::from_millis(self.below(8) * 2_000))
            .lock_delay(Duration::from_millis(self.below(3) * 50))
            .request_id(id);
        if self.below(3) == 0 {
            request = request.shared();
        }
        let answer = self.lock.acquire(request.clone());
        if self.below(8) == 0 {
            self.pause(100).await;
            // Whatever it was answered, it has no lease now; after a crash perhaps one that expires.
            let _ = self.lock.cancel(id).await;
            return;
        }
        let Some(lease) = self.insist(&request, answer.await).await else {
            return;
        };
        let from = self.sim.now();
        let end = self.hold(&request, lease.clone()).await;
        self.seen.borrow_mut().push(Seen {
            token: lease.token,
            mode: request.mode,
            from,
            until: end,
        });
    }

    /// A call that broke off is made again.
    async fn insist(
        &self,
        request: &Acquire,
        mut answer: Result<Lease, CallError<LockError>>,
    ) -> Option<Lease> {
        loop {
            match answer {
                Ok(lease) => return Some(lease),
                Err(CallError::Application(LockError::Held(_) | LockError::Cancelled)) => {
                    return None;
                }
                Err(error) if error.is_retryable() => {
                    self.pause(20).await;
                    answer = self.lock.acquire(request.clone()).await;
                }
                Err(error) => panic!("{request:?}: {error}"),
            }
        }
    }

    /// Until when the lease was held for sure.
    async fn hold(&self, request: &Acquire, mut lease: Lease) -> Timestamp {
        let ttl = request.ttl_ms;
        for _ in 0..self.below(3) {
            self.pause(ttl).await;
            let renew = Renew::of(&lease.lease, Duration::from_millis(ttl));
            match self.lock.renew(renew).await {
                Ok(renewed) => {
                    assert_eq!((renewed.token, &renewed.lease), (lease.token, &lease.lease));
                    lease = renewed;
                }
                Err(CallError::Application(LockError::Lost)) => {
                    assert!(
                        self.sim.now() >= lease.expires_at,
                        "{lease:?} was lost early"
                    );
                    return lease.expires_at;
                }
                Err(error) => assert!(error.is_retryable(), "{error}"),
            }
        }
        if request.mode == Mode::Exclusive {
            // Perhaps too late: the fence says so.
            let _ = self
                .ledger
                .write(lease.token, lease.token.to_string())
                .await;
        }
        self.pause(ttl / 2).await;
        let end = self.sim.now().min(lease.expires_at);
        if self.below(4) > 0 {
            self.release(&lease).await;
            end
        } else {
            lease.expires_at
        }
    }

    async fn release(&self, lease: &Lease) {
        let mut repeated = false;
        loop {
            match self.lock.release(Release::of(&lease.lease)).await {
                Ok(()) => return,
                Err(CallError::Application(LockError::Lost)) => {
                    assert!(repeated || self.sim.now() >= lease.expires_at, "{lease:?}");
                    return;
                }
                Err(error) => assert!(error.is_retryable(), "{error}"),
            }
            repeated = true;
            self.pause(20).await;
        }
    }
}

#[anchorhold::test]
async fn no_history_breaks_the_exclusion(sim: Sim) {
    let lock = sim.objects::<Lock>().named("a");
    let ledger = sim.objects::<Ledger>().named("a");
    let seen = Rc::new(RefCell::new(Vec::new()));
    for round in 0..ROUNDS {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| Client {
                sim: sim.clone(),
                lock: lock.clone(),
                ledger: ledger.clone(),
                number,
                random: Cell::new(sim.seed() ^ (round << 32 | number)),
                seen: seen.clone(),
            })
            .map(|client| tokio::task::spawn_local(client.run(round)))
            .collect();
        for _ in 0..CRASHES {
            sim.advance(Duration::from_millis(700)).await;
            sim.crash().await;
        }
        for client in clients {
            client.await.expect("a client found fault");
        }
        sim.evict(&lock).await;
    }
    check(&mut seen.take());
    let lines = ledger.lines().await.unwrap();
    let tokens: Vec<u64> = lines.iter().map(|line| line.parse().unwrap()).collect();
    assert!(tokens.is_sorted(), "a stale token got through: {tokens:?}");
    assert!(tokens.len() > 20, "{}", tokens.len());
}

fn check(seen: &mut [Seen]) {
    assert!(seen.len() > 60, "{}", seen.len());
    seen.sort_by_key(|seen| seen.token);
    for (index, one) in seen.iter().enumerate() {
        for later in &seen[index + 1..] {
            assert_ne!(
                one.token, later.token,
                "one token for two: {one:?} {later:?}"
            );
            let both_shared = (one.mode, later.mode) == (Mode::Shared, Mode::Shared);
            assert!(
                both_shared || one.until <= later.from,
                "{one:?} overlaps {later:?}"
            );
        }
    }
}
