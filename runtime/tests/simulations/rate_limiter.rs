//! A rate limiter that clients ask at once while everything fails: no algorithm lets more through
//! than it promises, and none refuses what was not used.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use anchorhold::Faults;
use anchorhold::objects::RateLimiter;
use anchorhold::objects::rate_limiter::{Algorithm, Check, Decision, Policy};
use anchorhold::prelude::*;
use futures_util::future::join_all;
use tokio::time::Instant;

use crate::clients;

const CLIENTS: u64 = 4;
const ROUNDS: usize = 14;
const LIMIT: u64 = 6;
const WINDOW: i64 = 8_000;

/// A check, as its client knows it. It was decided between its two times.
#[derive(Clone, Copy, Debug)]
struct Asked {
    cost: u64,
    earliest: i64,
    latest: i64,
    /// None if the answer was lost: it may have used its cost.
    allowed: Option<bool>,
    /// How often the clock had been set forward.
    forward: usize,
}

/// The checks of one key, in the order of their answers.
struct Key {
    policy: Policy,
    asked: RefCell<Vec<Asked>>,
}

impl Key {
    fn all() -> Vec<Self> {
        let key = |algorithm| Self {
            policy: Policy::new(algorithm, LIMIT, WINDOW.unsigned_abs()),
            asked: RefCell::default(),
        };
        Algorithm::ALL.into_iter().map(key).collect()
    }

    fn check(&self, cost: u64) -> Check {
        Check::new(self.policy.algorithm.name(), self.policy).cost(cost)
    }

    /// The most that may be let through in so many milliseconds.
    fn most(&self, stretch: i64) -> u64 {
        match self.policy.algorithm {
            Algorithm::SlidingLog | Algorithm::SlidingWindow => LIMIT,
            Algorithm::FixedWindow => 2 * LIMIT - 1,
            Algorithm::TokenBucket => {
                LIMIT + LIMIT * stretch.unsigned_abs() / WINDOW.unsigned_abs()
            }
        }
    }

    /// Never more is let through than promised, in any stretch of up to one window, unless the
    /// clock was set forward in it: then time has passed, as far as the limiter can tell.
    fn assert_limit(&self) {
        let asked = self.asked.borrow();
        let allowed = |asked: &&Asked| asked.allowed == Some(true);
        for first in asked.iter().filter(allowed) {
            for last in asked.iter().filter(allowed) {
                let stretch = last.latest - first.earliest;
                if !(0..WINDOW).contains(&stretch) || first.forward != last.forward {
                    continue;
                }
                let within = |one: &&Asked| {
                    one.earliest >= first.earliest
                        && one.latest <= last.latest
                        && one.forward == first.forward
                };
                let used: u64 = asked
                    .iter()
                    .filter(allowed)
                    .filter(within)
                    .map(|one| one.cost)
                    .sum();
                assert!(
                    used <= self.most(stretch),
                    "{}: {used} in {stretch} ms: {asked:#?}",
                    self.policy.algorithm.name()
                );
            }
        }
    }

    /// Nothing is refused for which there was enough left, whatever became of unanswered checks.
    fn assert_no_needless_refusal(&self) {
        // A sixteenth of a window is given back late (the sliding window).
        let counts = WINDOW + WINDOW / 16;
        let asked = self.asked.borrow();
        for refused in asked.iter().filter(|one| one.allowed == Some(false)) {
            let used: u64 = asked
                .iter()
                .filter(|one| one.allowed != Some(false))
                .filter(|one| one.earliest <= refused.latest)
                .filter(|one| one.latest + counts >= refused.earliest)
                .map(|one| one.cost)
                .sum();
            assert!(
                used + refused.cost > LIMIT,
                "{}: {refused:?} with {used} used: {asked:#?}",
                self.policy.algorithm.name()
            );
        }
    }
}

/// How often the clock was set forward, by what clients see of it.
struct Clock {
    sim: Sim,
    began: Instant,
    began_at: Timestamp,
    /// By how much it had been set, and how often forward, when it was last looked at.
    seen: Cell<(i64, usize)>,
}

impl Clock {
    fn new(sim: &Sim) -> Self {
        Self {
            sim: sim.clone(),
            began: Instant::now(),
            began_at: sim.now(),
            seen: Cell::default(),
        }
    }

    fn forward(&self) -> usize {
        let passed = i64::try_from(self.began.elapsed().as_millis()).unwrap();
        let set_by = self.sim.now().as_millis() - self.began_at.as_millis() - passed;
        let (before, steps) = self.seen.get();
        let steps = steps + usize::from(set_by > before);
        self.seen.set((set_by, steps));
        steps
    }
}

async fn client(sim: &Sim, number: u64, keys: &[Key], clock: &Clock) {
    let limiter = sim.objects::<RateLimiter>().named("a");
    let mut choices = clients::choices(sim, number);
    for _ in 0..ROUNDS {
        let cost = choices.u64(1..=3);
        let first = choices.usize(0..keys.len());
        // Some ask for two keys together: both are used, or none.
        let count = 1 + usize::from(choices.u8(0..4) == 0);
        let chosen: Vec<&Key> = keys.iter().cycle().skip(first).take(count).collect();
        let (asked, forward) = (sim.now().as_millis(), clock.forward());
        let decisions: Vec<Option<Decision>> = if count == 1 {
            vec![limiter.check(chosen[0].check(cost)).await.ok()]
        } else {
            let checks = chosen.iter().map(|key| key.check(cost)).collect();
            match limiter.check_all(checks).await {
                Ok(answer) => answer.decisions.into_iter().map(Some).collect(),
                Err(_) => vec![None; count],
            }
        };
        let (answered, forward_after) = (sim.now().as_millis(), clock.forward());
        let allowed = decisions.iter().flatten().all(|decision| decision.allowed);
        // Why one of several was refused is not known.
        let is_clear = allowed || count == 1;
        for (key, decision) in chosen.into_iter().zip(decisions) {
            // One that the clock was set forward in belongs to neither side.
            if !is_clear || forward != forward_after {
                continue;
            }
            key.asked.borrow_mut().push(Asked {
                cost,
                earliest: asked.min(answered),
                latest: asked.max(answered),
                allowed: decision.map(|decision| decision.allowed),
                forward,
            });
        }
        // After a long one, only what was let through late may still count.
        let longest = [1_500, 1_500, 1_500, 12_000][choices.usize(0..4)];
        let pause = Duration::from_millis(choices.u64(0..longest));
        sim.env().sleep(pause).await;
    }
}

#[anchorhold::test(seed = 1, seeds = 300, faults = Faults::all())]
async fn never_more_than_the_limit_and_nothing_refused_needlessly(sim: Sim) {
    let keys = Key::all();
    let clock = Clock::new(&sim);
    join_all((0..CLIENTS).map(|number| client(&sim, number, &keys, &clock))).await;
    clients::heal(&sim).await;
    let was_set = clients::clock_steps(&sim) > 0;
    for key in &keys {
        key.assert_limit();
        // What was let through later than now still counts.
        if !was_set {
            key.assert_no_needless_refusal();
        }
    }
    sim.advance(clients::quiet_phase(&sim)).await;
    let limiter = sim.objects::<RateLimiter>().named("a");
    let status = limiter.status().await.unwrap();
    assert_eq!(status.usages, 0, "what is stale is swept: {status:?}");
    for key in &keys {
        let decision = limiter.check(key.check(LIMIT)).await.unwrap();
        assert!(decision.allowed, "all is given back: {decision:?}");
    }
}
