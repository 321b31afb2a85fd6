//! A lock that clients want at once while everything fails: leases exclude each other, tokens only
//! rise, and in the end it is free.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use anchorhold::check::History;
use anchorhold::check::models::{FencedLock, LockOp, LockOutput};
use anchorhold::objects::Lock;
use anchorhold::objects::lock::{Acquire, Break, Lease, LockError, Mode, Release, Renew};
use anchorhold::prelude::*;
use anchorhold::{FaultKind, Faults};
use futures_util::future::join_all;

use crate::clients;

type LockStub = <Lock as DurableObject>::Stub;

const CLIENTS: u64 = 4;
const ROUNDS: usize = 5;

fn lock(sim: &Sim) -> LockStub {
    sim.objects::<Lock>().named("a")
}

/// Acquires and releases, exclusively.
async fn exclusive(sim: &Sim, number: u64, history: &History<LockOp, LockOutput>) {
    let name = format!("client {number}");
    let mut choices = clients::choices(sim, number);
    let mut seconds = |most: u64| Duration::from_millis(choices.u64(0..most * 1_000));
    for _ in 0..ROUNDS {
        let ttl = seconds(20) + Duration::from_secs(1);
        let call = lock(sim).acquire(Acquire::new(&name, ttl).wait(seconds(15)));
        let acquire = history.call(&name, LockOp::Acquire, call, |answer| match answer {
            Ok(Lease {
                token, expires_at, ..
            }) => LockOutput::Granted {
                token,
                at: sim.now(),
                until: expires_at,
            },
            Err(LockError::Held(_)) => LockOutput::Held,
            Err(other) => panic!("{other}"),
        });
        let granted = acquire.await.ok();
        // Some work longer than their leases last.
        sim.env().sleep(seconds(12)).await;
        if let Some(Lease { token, lease, .. }) = granted {
            let call = lock(sim).release(Release::of(lease));
            let op = LockOp::Release(token);
            let release = history.call(&name, op, call, |answer| match answer {
                Ok(()) => LockOutput::Released,
                Err(LockError::Lost) => LockOutput::Lost { at: sim.now() },
                Err(other) => panic!("{other}"),
            });
            // Whatever comes of it is in the history.
            let _ = release.await;
        }
    }
}

// The model compares the times of leases with those of answers, and so needs a clock that is not
// set. `leases_exclude_each_other_and_tokens_rise` has clock steps.
#[anchorhold::test(seed = 1, seeds = 300, faults = Faults::all().without(FaultKind::ClockStep))]
async fn lock_is_linearizable(sim: Sim) {
    let history = clients::history(&sim);
    join_all((0..CLIENTS).map(|number| exclusive(&sim, number, &history))).await;
    history.check(&FencedLock).unwrap();
}

/// A lease, as its client knows it.
#[derive(Clone, Debug)]
struct Held {
    token: u64,
    mode: Mode,
    asked: Timestamp,
    from: Timestamp,
    until: Timestamp,
    /// How long the next lease is kept out, if this one has run out.
    delay: Option<Duration>,
}

#[derive(Default)]
struct Seen {
    greatest: Cell<u64>,
    leases: RefCell<Vec<Held>>,
    /// From when to when the lock was to be broken.
    breaks: RefCell<Vec<(Timestamp, Timestamp)>>,
}

impl Seen {
    /// A lease was given to a client that asked when `known` was the greatest token.
    fn grant(&self, lease: &Lease, known: u64) {
        assert!(lease.token > known, "a token was used again: {lease:?}");
        self.greatest.set(self.greatest.get().max(lease.token));
    }

    /// No two leases that exclude each other were held at one time.
    fn check(&self) {
        let mut leases = self.leases.take();
        for lease in &mut leases {
            // A lease may be broken before its client hears of it.
            let breaks = self.breaks.borrow();
            let ends = breaks.iter().filter(|(_, done)| *done >= lease.asked);
            let ends = ends.map(|(asked, _)| *asked).chain([lease.until]);
            let end = ends.min().unwrap();
            lease.until = match lease.delay {
                Some(delay) if end == lease.until => end + delay,
                _ => end,
            };
        }
        leases.sort_by_key(|lease| lease.token);
        for (index, one) in leases.iter().enumerate() {
            for later in &leases[index + 1..] {
                let both_shared = (one.mode, later.mode) == (Mode::Shared, Mode::Shared);
                assert_ne!(one.token, later.token, "two leases of one token");
                assert!(
                    both_shared || one.until <= later.from,
                    "{one:?} overlaps {later:?}"
                );
            }
        }
    }
}

/// Everything that a client can do with a lock.
async fn any(sim: &Sim, number: u64, seen: &Seen) {
    let lock = lock(sim);
    let mut choices = clients::choices(sim, number);
    for round in 0..ROUNDS {
        let id = format!("{number} {round}");
        let ttl = Duration::from_millis(choices.u64(1_000..20_000));
        let delay = Duration::from_millis(choices.u64(0..3) * 2_000);
        let mut request = Acquire::new(number.to_string(), ttl)
            .wait(Duration::from_millis(choices.u64(0..15_000)))
            .lock_delay(delay)
            .request_id(&id);
        if choices.u8(0..3) == 0 {
            request = request.shared();
        }
        let mode = request.mode;
        let (known, asked) = (seen.greatest.get(), sim.now());
        // A call that broke off is made again.
        let mut granted = None;
        for _ in 0..3 {
            match lock.acquire(request.clone()).await {
                Ok(lease) => granted = Some(lease),
                Err(CallError::Application(LockError::Held(_))) => {}
                Err(CallError::Application(other)) => panic!("{other}"),
                Err(_) => continue,
            }
            break;
        }
        let mut pause = |most| sim.env().sleep(Duration::from_millis(choices.u64(0..most)));
        let Some(lease) = granted else {
            // What it may have got without knowing is given back, or expires.
            let _ = lock.cancel(&id).await;
            continue;
        };
        seen.grant(&lease, known);
        let mut held = Held {
            token: lease.token,
            mode,
            asked,
            from: sim.now(),
            until: lease.expires_at,
            delay: None,
        };
        pause(10_000).await;
        if number.is_multiple_of(2)
            && let Ok(renewed) = lock.renew(Renew::of(&lease.lease, ttl)).await
        {
            assert_eq!((renewed.token, &renewed.lease), (lease.token, &lease.lease));
            held.until = renewed.expires_at;
            pause(10_000).await;
        }
        // Some let their leases run out.
        let releases = choices.u8(0..4) > 0;
        if releases {
            held.until = held.until.min(sim.now());
        } else {
            held.delay = Some(delay);
        }
        seen.leases.borrow_mut().push(held);
        if number == 0 && round == 2 {
            let asked = sim.now();
            let order = Break {
                by: "admin".to_owned(),
                reason: "maintenance".to_owned(),
            };
            let _ = lock.break_lock(order).await;
            seen.breaks.borrow_mut().push((asked, sim.now()));
        } else if releases {
            let _ = lock.release(Release::of(lease.lease)).await;
        }
    }
}

#[anchorhold::test(seed = 1, seeds = 300, faults = Faults::all())]
async fn leases_exclude_each_other_and_tokens_rise(sim: Sim) {
    let seen = Seen::default();
    join_all((0..CLIENTS).map(|number| any(&sim, number, &seen))).await;
    clients::heal(&sim).await;
    sim.advance(clients::quiet_phase(&sim)).await;
    let lock = lock(&sim);
    let status = lock.status().await.unwrap();
    assert!(
        !status.held && status.waiting == 0,
        "a lease that ended is held, or a caller that left waits: {status:?}"
    );
    let request = Acquire::new("afterwards", Duration::from_secs(1));
    let lease = lock.acquire(request).await.unwrap();
    seen.grant(&lease, seen.greatest.get());
    // By a clock that is set, a lease lasts longer or shorter than its client knows.
    if clients::clock_steps(&sim) == 0 {
        seen.check();
    }
}
