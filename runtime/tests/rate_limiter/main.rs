//! The limiter in the simulator: under pressure, across evictions and crashes, swept, administered,
//! asked over HTTP and through its guard.

use std::time::Duration;

use anchorhold::objects::RateLimiter;
use anchorhold::objects::rate_limiter::{
    Algorithm, Check, Decision, Guard, Limit, List, Policy, RateLimiterStub, Reason, Rule,
};
use anchorhold::prelude::*;

mod guard;
mod http;
mod in_a_product;
mod product;

const CALLERS: usize = 64;

fn limiter(sim: &Sim) -> RateLimiterStub {
    sim.objects::<RateLimiter>().named("0")
}

fn policy(algorithm: Algorithm, limit: u64, window_ms: u64) -> Policy {
    Policy::new(algorithm, limit, window_ms)
}

async fn milliseconds(sim: &Sim, millis: u64) {
    sim.advance(Duration::from_millis(millis)).await;
}

/// The order of events after a seed; the simulator's own decides the rest.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % end
    }
}

/// 64 callers at once, again and again, while the object is evicted and the host dies.
async fn press(sim: &Sim, policy: Policy) {
    let limiter = limiter(sim);
    let mut dice = Dice(sim.seed());
    let mut passed: Vec<(Timestamp, u64)> = Vec::new();
    let mut refused = 0;
    for _ in 0..40 {
        let now = sim.now();
        let answers: Vec<_> = (0..CALLERS)
            .map(|_| {
                let cost = 1 + dice.below(3);
                (cost, limiter.check(Check::new("k", policy).cost(cost)))
            })
            .collect();
        let fate = dice.below(3);
        let survivors = dice.below(CALLERS as u64);
        for (number, (cost, answer)) in (0_u64..).zip(answers) {
            if fate == 0 && number == survivors {
                sim.crash().await;
            }
            match answer.await {
                Ok(decision) if decision.allowed => passed.push((now, cost)),
                Ok(_) => refused += 1,
                Err(error) => assert!(error.is_retryable(), "{error}"),
            }
        }
        if fate == 1 {
            sim.evict(&limiter).await;
        }
        milliseconds(sim, dice.below(policy.window_ms / 2)).await;
    }
    assert!(refused > 0, "there was no pressure");
    let stretch = Duration::from_millis(policy.window_ms);
    let most = passed.iter().map(|(end, _)| {
        let inside = passed
            .iter()
            .filter(|(time, _)| time <= end && *end < *time + stretch);
        inside.map(|(_, cost)| cost).sum::<u64>()
    });
    let most = most.max().unwrap_or(0);
    let bound = match policy.algorithm {
        Algorithm::SlidingLog | Algorithm::SlidingWindow => policy.limit,
        Algorithm::FixedWindow | Algorithm::TokenBucket => 2 * policy.limit - 1,
    };
    assert!(most <= bound, "{most} in one window of {policy:?}");
    assert!(
        most >= policy.limit - 2,
        "{policy:?} lets too little through: {most}"
    );
}

#[anchorhold::test]
async fn fixed_window_under_pressure(sim: Sim) {
    press(&sim, policy(Algorithm::FixedWindow, 50, 1_000)).await;
}

#[anchorhold::test]
async fn sliding_window_under_pressure(sim: Sim) {
    press(&sim, policy(Algorithm::SlidingWindow, 50, 1_000)).await;
}

#[anchorhold::test]
async fn sliding_log_under_pressure(sim: Sim) {
    press(&sim, policy(Algorithm::SlidingLog, 50, 1_000)).await;
}

#[anchorhold::test]
async fn token_bucket_under_pressure(sim: Sim) {
    press(&sim, policy(Algorithm::TokenBucket, 50, 1_000)).await;
}

#[anchorhold::test]
async fn several_limits_are_used_together_or_not_at_all(sim: Sim) {
    let limiter = limiter(&sim);
    let per_second = policy(Algorithm::TokenBucket, 2, 1_000);
    let per_minute = policy(Algorithm::SlidingLog, 3, 60_000);
    let both = || vec![Check::new("ann", per_second), Check::new("ann", per_minute)];
    let left = async |limit: Policy| {
        limiter
            .peek(Check::new("ann", limit))
            .await
            .unwrap()
            .remaining
    };

    for _ in 0..2 {
        assert!(limiter.check_all(both()).await.unwrap().allowed);
    }
    let refused = limiter.check_all(both()).await.unwrap();
    let reasons = refused
        .decisions
        .iter()
        .map(|decision| (decision.allowed, decision.reason, decision.remaining));
    assert_eq!(
        reasons.collect::<Vec<_>>(),
        [
            (false, Reason::OverLimit, 0),
            (false, Reason::OtherRefused, 1)
        ]
    );
    assert_eq!((refused.allowed, refused.retry_after_ms), (false, 500));
    assert_eq!(
        left(per_minute).await,
        1,
        "the limit that had room was not used"
    );

    // Twice the same limit counts twice; what does not fit takes the rest with it.
    milliseconds(&sim, 1_000).await;
    let twice = vec![
        Check::new("bob", per_second),
        Check::new("ann", per_second),
        Check::new("ann", per_second).cost(2),
    ];
    assert!(!limiter.check_all(twice).await.unwrap().allowed);
    assert_eq!(left(per_second).await, 2);
    assert_eq!(
        limiter
            .peek(Check::new("bob", per_second))
            .await
            .unwrap()
            .remaining,
        2
    );

    // An answer that was lost in a crash: used in both or in neither.
    let lost = limiter.check_all(both());
    sim.crash().await;
    let arrived = lost.await.is_ok();
    let after = (left(per_second).await, left(per_minute).await);
    assert!(after == (2, 1) && !arrived || after == (1, 0), "{after:?}");

    let too_many = vec![Check::new("ann", per_second); 1_001];
    let error = limiter.check_all(too_many).await.unwrap_err();
    assert!(
        error.to_string().contains("over the limit of 1000"),
        "{error}"
    );
    let one_is_wrong = vec![Check::new("cat", per_second), Check::new("cat", "unknown")];
    limiter.check_all(one_is_wrong).await.unwrap_err();
    assert_eq!(
        limiter
            .peek(Check::new("cat", per_second))
            .await
            .unwrap()
            .remaining,
        2
    );
}

#[anchorhold::test]
async fn policies_change_at_run_time(sim: Sim) {
    let limiter = limiter(&sim);
    let ask = async |key: &str| limiter.check(Check::new(key, "api")).await;
    let unknown = ask("ann").await.unwrap_err();
    assert!(unknown.to_string().contains("no policy `api`"), "{unknown}");

    limiter
        .set_policy("api", policy(Algorithm::SlidingLog, 2, 60_000), None)
        .await
        .unwrap();
    assert_eq!(ask("ann").await.unwrap().remaining, 1);
    assert_eq!(ask("ann").await.unwrap().remaining, 0);
    assert!(!ask("ann").await.unwrap().allowed);
    // What was used counts under the new limit, after an eviction too.
    limiter
        .set_policy("api", policy(Algorithm::SlidingLog, 4, 60_000), None)
        .await
        .unwrap();
    sim.evict(&limiter).await;
    assert_eq!(ask("ann").await.unwrap().remaining, 1);

    limiter
        .set_override("api", "ann", policy(Algorithm::SlidingLog, 10, 60_000))
        .await
        .unwrap();
    sim.crash().await;
    let decision = ask("ann").await.unwrap();
    assert_eq!((decision.limit, decision.remaining), (10, 6));
    assert_eq!(ask("bob").await.unwrap().limit, 4);
    let overrides = limiter.overrides("api", None).await.unwrap();
    assert_eq!(
        overrides
            .iter()
            .map(|entry| entry.key.as_str())
            .collect::<Vec<_>>(),
        ["ann"]
    );
    assert_eq!(
        limiter
            .overrides("api", Some("ann".to_owned()))
            .await
            .unwrap(),
        []
    );
    assert!(limiter.remove_override("api", "ann").await.unwrap());
    assert!(!limiter.remove_override("api", "ann").await.unwrap());
    assert!(!ask("ann").await.unwrap().allowed);

    // A limit under another name, and one that comes with the question, count apart.
    let given = policy(Algorithm::SlidingLog, 4, 60_000);
    assert_eq!(
        limiter
            .check(Check::new("ann", given))
            .await
            .unwrap()
            .remaining,
        3
    );

    assert!(limiter.remove_policy("api").await.unwrap());
    assert!(!limiter.remove_policy("api").await.unwrap());
    ask("ann").await.unwrap_err();
    for name in ["", "a b", "a/b", "é", &"x".repeat(65)] {
        limiter.set_policy(name, given, None).await.unwrap_err();
    }
}

#[anchorhold::test]
async fn lists_hold_under_every_limit(sim: Sim) {
    let limiter = limiter(&sim);
    let limit = policy(Algorithm::FixedWindow, 1, 1_000);
    let ask = async |key: &str| limiter.check(Check::new(key, limit)).await.unwrap();
    limiter
        .put_on_list("friend", List::Allow, None)
        .await
        .unwrap();
    limiter
        .put_on_list("foe", List::Deny, Some(5_000))
        .await
        .unwrap();
    for _ in 0..3 {
        let decision = ask("friend").await;
        assert_eq!(
            (decision.allowed, decision.reason),
            (true, Reason::AllowListed)
        );
    }
    let decision = ask("foe").await;
    assert_eq!(
        (decision.allowed, decision.reason, decision.retry_after_ms),
        (false, Reason::DenyListed, 5_000)
    );
    let refused = limiter
        .check_all(vec![Check::new("ann", limit), Check::new("foe", limit)])
        .await
        .unwrap();
    assert!(!refused.allowed);
    assert_eq!(limiter.status().await.unwrap().usages, 0);

    let listed = limiter.listings(None).await.unwrap();
    assert_eq!(
        listed
            .iter()
            .map(|entry| (entry.key.as_str(), entry.list))
            .collect::<Vec<_>>(),
        [("foe", List::Deny), ("friend", List::Allow)]
    );
    milliseconds(&sim, 5_000).await;
    assert!(ask("foe").await.allowed, "its time is over");
    assert!(!limiter.take_off_list("foe").await.unwrap());
    milliseconds(&sim, 60_000).await;
    assert_eq!(
        limiter.status().await.unwrap().next_sweep,
        None,
        "and the entry is gone"
    );
    assert!(limiter.take_off_list("friend").await.unwrap());
    assert_eq!(ask("friend").await.reason, Reason::WithinLimit);
    limiter
        .put_on_list("k", List::Deny, Some(0))
        .await
        .unwrap_err();
}

#[anchorhold::test]
async fn a_policy_in_shadow_lets_through_and_counts(sim: Sim) {
    let limiter = limiter(&sim);
    let limit = policy(Algorithm::SlidingLog, 1, 1_000);
    limiter.set_policy("new", limit, Some(true)).await.unwrap();
    let reasons: [Reason; 3] = [
        limiter.check(Check::new("k", "new")).await.unwrap().reason,
        limiter.check(Check::new("k", "new")).await.unwrap().reason,
        limiter.peek(Check::new("k", "new")).await.unwrap().reason,
    ];
    assert_eq!(
        reasons,
        [Reason::WithinLimit, Reason::Shadow, Reason::Shadow]
    );
    sim.crash().await;
    let policies = limiter.policies().await.unwrap();
    assert_eq!((policies[0].shadow, policies[0].shadow_refusals), (true, 1));
    limiter.set_policy("new", limit, Some(false)).await.unwrap();
    assert!(!limiter.check(Check::new("k", "new")).await.unwrap().allowed);
}

#[anchorhold::test]
async fn a_reset_forgets_a_key_and_no_other(sim: Sim) {
    let limiter = limiter(&sim);
    let limits = Algorithm::ALL.map(|algorithm| policy(algorithm, 1, 60_000));
    for key in ["a", "b"] {
        for limit in limits {
            assert!(limiter.check(Check::new(key, limit)).await.unwrap().allowed);
        }
    }
    limiter.reset("a").await.unwrap();
    for limit in limits {
        assert!(limiter.check(Check::new("a", limit)).await.unwrap().allowed);
        assert!(!limiter.check(Check::new("b", limit)).await.unwrap().allowed);
    }
}

/// One key each, as many as strangers may send; `ONE_OFF_KEYS=1000000` for all of the claim.
#[anchorhold::test]
async fn keys_that_are_used_once_leave_nothing_behind(sim: Sim) {
    let count = std::env::var("ONE_OFF_KEYS").map_or(20_000, |count| count.parse().unwrap());
    let limiter = limiter(&sim);
    let limits = Algorithm::ALL.map(|algorithm| policy(algorithm, 5, 60_000));
    let keys: Vec<usize> = (0..count).collect();
    for (number, batch) in keys.chunks(1_000).enumerate() {
        let checks = batch
            .iter()
            .map(|key| Check::new(format!("once-{key}"), limits[key % 4]));
        assert!(limiter.check_all(checks.collect()).await.unwrap().allowed);
        match number % 8 {
            3 => sim.evict(&limiter).await,
            7 => sim.crash().await,
            _ => {}
        }
    }
    assert_eq!(limiter.status().await.unwrap().usages, count as u64);
    // Somebody stays.
    let stays = policy(Algorithm::SlidingLog, 5, 600_000);
    let _ = limiter.check(Check::new("stays", stays)).await.unwrap();

    sim.advance(Duration::from_secs(80)).await;
    sim.crash().await;
    sim.advance(Duration::from_secs(20)).await;
    assert_eq!(limiter.status().await.unwrap().usages, 1);
    assert_eq!(
        limiter
            .peek(Check::new("stays", stays))
            .await
            .unwrap()
            .remaining,
        4
    );

    sim.advance(Duration::from_secs(700)).await;
    let status = limiter.status().await.unwrap();
    assert_eq!(
        (status.usages, status.next_sweep),
        (0, None),
        "nothing is left, and nothing wakes the object"
    );
}

/// A busy key moves its expiry on with every check; that may not cost a sweep each.
#[anchorhold::test]
async fn sweeps_are_rare_and_not_late(sim: Sim) {
    let limiter = limiter(&sim);
    let short = policy(Algorithm::FixedWindow, 5, 100);
    let long = policy(Algorithm::FixedWindow, 5, 86_400_000);
    let _ = limiter.check(Check::new("long", long)).await.unwrap();
    for _ in 0..600 {
        let _ = limiter.check(Check::new("busy", short)).await.unwrap();
        milliseconds(&sim, 100).await;
    }
    let alarms = sim
        .trace()
        .iter()
        .filter(|line| line.contains("start alarm"))
        .count();
    assert!((3..=7).contains(&alarms), "{alarms} alarms in a minute");
    // The sweep that waits for the long one is brought forward.
    milliseconds(&sim, 20_000).await;
    assert_eq!(limiter.status().await.unwrap().usages, 1);
}
