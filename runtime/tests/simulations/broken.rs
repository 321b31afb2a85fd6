//! A lock with fencing tokens that clients want at once while everything fails. The same lock with
//! its tokens counted in memory is found out.

use std::cell::RefCell;
use std::time::Duration;

use anchorhold::__private::run_test;
use anchorhold::check::models::{FencedLock, LockOp, LockOutput};
use anchorhold::check::{History, NotLinearizable};
use anchorhold::prelude::*;
use anchorhold::{FaultKind, Faults};
use futures_util::future::join_all;

const CLIENTS: usize = 4;
const ROUNDS: usize = 6;
const TERM: Duration = Duration::from_secs(10);

#[durable_object]
struct Lock {
    /// Token and expiry.
    lease: Option<(u64, Timestamp)>,
    last_token: u64,
    #[memory]
    forgotten_token: u64,
}

#[durable_object]
impl Lock {
    #[rpc]
    fn acquire(&mut self, ctx: &Ctx, is_broken: bool) -> Option<(u64, Timestamp)> {
        if self.lease.is_some_and(|(_, until)| until > ctx.now()) {
            return None;
        }
        let last = if is_broken {
            &mut self.forgotten_token
        } else {
            &mut self.last_token
        };
        *last += 1;
        self.lease = Some((*last, ctx.now() + TERM));
        self.lease
    }

    #[rpc]
    fn release(&mut self, ctx: &Ctx, token: u64) -> bool {
        let is_held = self
            .lease
            .is_some_and(|(held, until)| held == token && until > ctx.now());
        if is_held {
            self.lease = None;
        }
        is_held
    }
}

async fn clients(sim: &Sim, is_broken: bool) -> History<LockOp, LockOutput> {
    let history = History::with_clock({
        let sim = sim.clone();
        move || sim.now()
    });
    join_all((0..CLIENTS).map(|number| client(sim, number, is_broken, &history))).await;
    history
}

async fn client(sim: &Sim, number: usize, is_broken: bool, history: &History<LockOp, LockOutput>) {
    let name = format!("client {number}");
    for round in 0..ROUNDS {
        let lock = sim.objects::<Lock>().named("a");
        let call = lock.acquire(is_broken);
        let acquire = history.call(&name, LockOp::Acquire, call, |Ok(lease)| match lease {
            Some((token, until)) => LockOutput::Granted {
                token,
                at: sim.now(),
                until,
            },
            None => LockOutput::Held,
        });
        let granted = acquire.await.ok().flatten();
        // Each client works for another while, and one of them longer than its lease.
        let work = 1 + number * 3 + round % 3;
        sim.env().sleep(Duration::from_secs(work as u64)).await;
        if let Some((token, _)) = granted {
            let call = lock.release(token);
            let op = LockOp::Release(token);
            let release = history.call(&name, op, call, |Ok(is_held)| match is_held {
                true => LockOutput::Released,
                false => LockOutput::Lost { at: sim.now() },
            });
            let _ = release.await;
        }
    }
}

fn faults() -> Faults {
    // A lease measures time by the clock of its host.
    Faults::all().without(FaultKind::ClockStep)
}

#[anchorhold::test(seeds = 100, faults = faults())]
async fn lock_is_linearizable(sim: Sim) {
    clients(&sim, false).await.check(&FencedLock).unwrap();
}

#[test]
fn token_that_is_used_again_after_a_restart_is_found() {
    let found = RefCell::new(None);
    for seed in 0..10 {
        run_test(Some(seed), "tokens in memory", async |sim: Sim| {
            sim.set_faults(faults());
            let history = clients(&sim, true).await;
            sim.heal().await;
            match history.check(&FencedLock) {
                Err(NotLinearizable::Violation(violation)) => {
                    found.borrow_mut().get_or_insert((seed, violation));
                }
                other => other.unwrap(),
            }
        });
    }
    let (seed, violation) = found.into_inner().unwrap();
    println!("seed {seed}: {violation}");
    let report = violation.to_string();
    assert!(report.contains("Acquire -> Granted"), "{report}");
}
