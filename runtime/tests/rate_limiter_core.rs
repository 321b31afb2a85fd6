//! The limiter's decisions against naive models, without a host.

use anchorhold::Timestamp;
use anchorhold::objects::rate_limiter::{Algorithm, Decision, Policy, Reason, Usage};
use proptest::prelude::*;

const START: i64 = 1_760_000_000_000;

/// A step of a key's life: so much later, this cost.
type Step = (i64, u64);

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn wide(number: u64) -> i64 {
    i64::try_from(number).expect("small in these tests")
}

/// Windows that divide into slices and such that do not, limits that divide windows and such that do not.
fn policies(algorithm: Algorithm) -> impl Strategy<Value = Policy> {
    let windows = prop_oneof![1..40_u64, 90..110_u64, Just(1_000), 59_990..60_010_u64];
    (1..30_u64, windows)
        .prop_map(move |(limit, window_ms)| Policy::new(algorithm, limit, window_ms))
}

/// Steps that are mostly a fraction of a window apart.
fn steps(window_ms: u64) -> impl Strategy<Value = Vec<Step>> {
    let window = wide(window_ms);
    let pause = prop_oneof![
        3 => Just(0),
        4 => 0..=window / 8 + 1,
        2 => 0..=window,
        1 => window - 1..=window + 1,
        1 => 0..=3 * window,
    ];
    prop::collection::vec((pause, 1..5_u64), 1..80)
}

fn lives(algorithm: Algorithm) -> impl Strategy<Value = (Policy, Vec<Step>)> {
    policies(algorithm).prop_flat_map(|policy| (Just(policy), steps(policy.window_ms)))
}

fn any_life() -> impl Strategy<Value = (Policy, Vec<Step>)> {
    prop::sample::select(Algorithm::ALL.to_vec()).prop_flat_map(lives)
}

/// What was let through, and when.
#[derive(Default)]
struct Passed(Vec<(i64, u64)>);

impl Passed {
    fn within(&self, after: i64, until: i64) -> u64 {
        let inside = self
            .0
            .iter()
            .filter(|(time, _)| (after + 1..=until).contains(time));
        inside.map(|(_, cost)| cost).sum()
    }

    /// The most that passed in any stretch that ends with something passing.
    fn most_within(&self, stretch: i64) -> u64 {
        let ends = self
            .0
            .iter()
            .map(|(end, _)| self.within(end - stretch, *end));
        ends.max().unwrap_or(0)
    }
}

/// Lives a life; `watch` sees each decision with what had passed before it.
fn live(
    policy: &Policy,
    steps: &[Step],
    mut watch: impl FnMut(&Passed, i64, u64, &Usage, Decision) -> Result<(), TestCaseError>,
) -> Result<Passed, TestCaseError> {
    let mut passed = Passed::default();
    let mut usage = Usage::default();
    let mut now = START;
    for (pause, cost) in steps {
        now += pause;
        let before = usage.clone();
        let peeked = policy.peek(&usage, *cost, at(now));
        let decision = policy.take(&mut usage, *cost, at(now));
        prop_assert_eq!(peeked.allowed, decision.allowed);
        watch(&passed, now, *cost, &before, decision)?;
        if decision.allowed {
            passed.0.push((now, *cost));
            prop_assert_eq!(decision.remaining, peeked.remaining - cost);
        } else {
            prop_assert_eq!(&usage, &before, "a refusal changes nothing");
            prop_assert_eq!(peeked, decision);
        }
    }
    Ok(passed)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        // A failure's smallest input is printed; it becomes a test of its own.
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_sliding_log_is_exact((policy, steps) in lives(Algorithm::SlidingLog)) {
        let window = wide(policy.window_ms);
        let passed = live(&policy, &steps, |passed, now, cost, _, decision| {
            let used = passed.within(now - window, now);
            prop_assert_eq!(decision.allowed, used + cost <= policy.limit);
            Ok(())
        })?;
        prop_assert!(passed.most_within(window) <= policy.limit);
    }

    /// Never over the limit in any window; and refused only what would be over it in a window that
    /// is longer by one slice.
    #[test]
    fn a_sliding_window_errs_to_the_side_of_refusing_by_a_slice((policy, steps) in lives(Algorithm::SlidingWindow)) {
        let window = wide(policy.window_ms);
        let slice = wide(policy.window_ms.div_ceil(16));
        let passed = live(&policy, &steps, |passed, now, cost, _, decision| {
            let used = passed.within(now - window - slice, now);
            prop_assert!(decision.allowed || used + cost > policy.limit);
            Ok(())
        })?;
        prop_assert!(passed.most_within(window) <= policy.limit);
    }

    #[test]
    fn a_fixed_window_begins_with_its_first_request((policy, steps) in lives(Algorithm::FixedWindow)) {
        let window = wide(policy.window_ms);
        let mut open: Option<(i64, u64)> = None;
        let passed = live(&policy, &steps, |_, now, cost, _, decision| {
            let (start, used) = open.filter(|(start, _)| now < start + window).unwrap_or((now, 0));
            prop_assert_eq!(decision.allowed, used + cost <= policy.limit);
            if decision.allowed {
                open = Some((start, used + cost));
            }
            Ok(())
        })?;
        prop_assert!(passed.most_within(window) < 2 * policy.limit);
    }

    /// Against a bucket counted in whole parts of a token; and burst plus rate in every stretch.
    #[test]
    fn a_token_bucket_is_exact((policy, steps) in lives(Algorithm::TokenBucket)) {
        let (limit, window) = (wide(policy.limit), wide(policy.window_ms));
        // A token has as many parts as the window has milliseconds; as many flow in per
        // millisecond as the limit says.
        let (mut level, mut filled) = (limit * window, START);
        let passed = live(&policy, &steps, |_, now, cost, _, decision| {
            level = (level + (now - filled) * limit).min(limit * window);
            filled = now;
            let enough = wide(cost) * window <= level;
            prop_assert_eq!(decision.allowed, enough);
            if enough {
                level -= wide(cost) * window;
            }
            prop_assert_eq!(wide(decision.remaining), level / window);
            Ok(())
        })?;
        for (first, (start, _)) in passed.0.iter().enumerate() {
            let mut sum = 0;
            for (end, cost) in &passed.0[first..] {
                sum += wide(*cost);
                prop_assert!(sum * window <= limit * window + limit * (end - start));
            }
        }
    }

    /// Not a millisecond too early, not one too late.
    #[test]
    fn reported_times_are_exact((policy, steps) in any_life()) {
        live(&policy, &steps, |_, now, cost, before, decision| {
            if !decision.allowed && cost <= policy.limit {
                let then = now + wide(decision.retry_after_ms);
                prop_assert!(policy.peek(before, cost, at(then)).allowed);
                prop_assert!(!policy.peek(before, cost, at(then - 1)).allowed);
            }
            let full = decision.remaining == policy.limit;
            prop_assert_eq!(decision.reset_ms == 0, full);
            prop_assert!(decision.allowed || decision.reset_ms <= decision.retry_after_ms);
            prop_assert!(decision.reset_ms.max(decision.retry_after_ms) <= policy.window_ms || cost > policy.limit);
            Ok(())
        })?;
        let mut usage = Usage::default();
        let taken = policy.take(&mut usage, 1, at(START));
        let reset = at(START + wide(taken.reset_ms));
        prop_assert_eq!(policy.peek(&usage, 1, reset).remaining, policy.limit);
        let just_before = at(reset.as_millis() - 1);
        prop_assert_eq!(policy.peek(&usage, 1, just_before).remaining, policy.limit - 1);
    }

    #[test]
    fn what_has_expired_is_as_good_as_nothing((policy, steps) in any_life()) {
        let mut usage = Usage::default();
        let mut now = START;
        for (pause, cost) in &steps {
            now += pause;
            let _ = policy.take(&mut usage, *cost, at(now));
        }
        let Some(expires) = usage.expires(&policy) else {
            return Err(TestCaseError::reject("nothing was let through"));
        };
        prop_assert_eq!(policy.peek(&usage, 1, expires).remaining, policy.limit);
        let just_before = at(expires.as_millis() - 1);
        prop_assert!(policy.peek(&usage, 1, just_before).remaining < policy.limit);
    }

    /// Each time counts as the latest at which something had passed by then.
    #[test]
    fn a_clock_that_goes_back_opens_no_gate((policy, steps) in any_life(), back in prop::collection::vec(any::<bool>(), 80)) {
        let window = wide(policy.window_ms);
        let mut usage = Usage::default();
        let mut passed = Passed::default();
        let (mut now, mut latest) = (START, i64::MIN);
        for ((pause, cost), back) in steps.iter().zip(back) {
            now += if back { -pause } else { *pause };
            if policy.take(&mut usage, *cost, at(now)).allowed {
                latest = latest.max(now);
                passed.0.push((latest, *cost));
            }
        }
        let most = passed.most_within(window);
        match policy.algorithm {
            Algorithm::SlidingLog | Algorithm::SlidingWindow => prop_assert!(most <= policy.limit, "{most}"),
            Algorithm::FixedWindow | Algorithm::TokenBucket => prop_assert!(most < 2 * policy.limit, "{most}"),
        }
    }

    /// What was used before still counts under the new limit.
    #[test]
    fn a_limit_that_changes_opens_no_gate((policy, steps) in any_life(), limits in prop::collection::vec(1..30_u64, 80)) {
        let window = wide(policy.window_ms);
        let mut usage = Usage::default();
        let mut passed = Passed::default();
        let mut now = START;
        for ((pause, cost), limit) in steps.iter().zip(limits) {
            let policy = Policy { limit, ..policy };
            now += pause;
            let decision = policy.take(&mut usage, *cost, at(now));
            prop_assert!(decision.remaining <= limit);
            if decision.allowed {
                passed.0.push((now, *cost));
                if matches!(policy.algorithm, Algorithm::SlidingLog | Algorithm::SlidingWindow) {
                    prop_assert!(passed.within(now - window, now) <= limit);
                }
            }
        }
    }

    /// What is given back may be used again, and nothing else: what was kept stays within the limit.
    #[test]
    fn giving_back_opens_no_gate(
        (policy, steps) in any_life(),
        gives_back in prop::collection::vec(prop::option::of(0..4_usize), 80),
    ) {
        let window = wide(policy.window_ms);
        let mut usage = Usage::default();
        let mut kept = Passed::default();
        // The time and cost of what may be given back, and after how many steps it is.
        let mut pending: Vec<(i64, u64, usize)> = Vec::new();
        let mut now = START;
        for ((pause, cost), later) in steps.iter().zip(gives_back) {
            now += pause;
            for (at_time, cost, after) in std::mem::take(&mut pending) {
                if after > 0 {
                    pending.push((at_time, cost, after - 1));
                } else {
                    policy.give_back(&mut usage, cost, at(at_time), at(now));
                }
            }
            let decision = policy.take(&mut usage, *cost, at(now));
            if !decision.allowed {
                continue;
            }
            match later {
                Some(after) => pending.push((now, *cost, after)),
                None => kept.0.push((now, *cost)),
            }
        }
        let most = kept.most_within(window);
        match policy.algorithm {
            Algorithm::SlidingLog | Algorithm::SlidingWindow => prop_assert!(most <= policy.limit, "{most}"),
            Algorithm::FixedWindow => prop_assert!(most < 2 * policy.limit, "{most}"),
            Algorithm::TokenBucket => {
                let (limit, window) = (wide(policy.limit), wide(policy.window_ms));
                for (first, (start, _)) in kept.0.iter().enumerate() {
                    let mut sum = 0;
                    for (end, cost) in &kept.0[first..] {
                        sum += wide(*cost);
                        prop_assert!(sum * window <= limit * window + limit * (end - start));
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_given_back_at_once_was_never_used((policy, steps) in any_life()) {
        let mut usage = Usage::default();
        let mut now = START;
        for (pause, cost) in &steps {
            now += pause;
            let before = policy.peek(&usage, 1, at(now));
            let decision = policy.take(&mut usage, *cost, at(now));
            if decision.allowed && pause % 2 == 0 {
                policy.give_back(&mut usage, *cost, at(now), at(now));
                let after = policy.peek(&usage, 1, at(now));
                prop_assert_eq!(after.remaining, before.remaining);
            }
        }
    }

    #[test]
    fn usages_are_small_and_survive_being_stored((policy, steps) in any_life()) {
        let mut usage = Usage::default();
        let mut now = START;
        for (pause, cost) in &steps {
            now += pause;
            let _ = policy.take(&mut usage, *cost, at(now));
            let text = serde_json::to_string(&usage).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Usage>(&text).unwrap(), &usage);
            if let Usage::Log(entries) = &usage {
                let most = if policy.algorithm == Algorithm::SlidingLog { policy.limit } else { 17 };
                prop_assert!(entries.len() as u64 <= most);
            }
        }
    }

    /// A core that is embedded is given whatever its user has.
    #[test]
    fn nothing_panics(
        algorithm in prop::sample::select(Algorithm::ALL.to_vec()),
        limit in hostile(), window_ms in hostile(),
        costs in prop::collection::vec(hostile(), 1..8),
        times in prop::collection::vec(prop_oneof![Just(i64::MIN), Just(i64::MAX), Just(0), any::<i64>()], 8),
    ) {
        let policy = Policy::new(algorithm, limit, window_ms);
        let mut usage = Usage::default();
        for (cost, time) in costs.into_iter().zip(times) {
            let _ = policy.take(&mut usage, cost, at(time));
            let _ = policy.peek(&usage, cost, at(0));
            let _ = usage.expires(&policy);
        }
    }
}

fn hostile() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        Just(1),
        Just(u64::MAX),
        Just(1_000_000_000),
        any::<u64>()
    ]
}

#[test]
fn the_largest_policies_count_exactly() {
    for algorithm in [
        Algorithm::FixedWindow,
        Algorithm::SlidingWindow,
        Algorithm::TokenBucket,
    ] {
        let year = 366 * 24 * 60 * 60 * 1_000;
        for window in [1, 7, year] {
            let policy = Policy::new(algorithm, 1_000_000_000, window);
            policy.validate().unwrap();
            let mut usage = Usage::default();
            assert_eq!(
                policy.take(&mut usage, 999_999_999, at(START)).remaining,
                1,
                "{policy:?}"
            );
            assert_eq!(policy.take(&mut usage, 1, at(START)).remaining, 0);
            assert_eq!(
                policy.take(&mut usage, 1, at(START)).reason,
                Reason::OverLimit
            );
            let expires = usage.expires(&policy).unwrap();
            assert_eq!(policy.peek(&usage, 1, expires).remaining, 1_000_000_000);
        }
    }
}

#[test]
fn ranges() {
    let refused = |algorithm, limit, window| {
        let error = Policy::new(algorithm, limit, window)
            .validate()
            .unwrap_err();
        assert_eq!(error.status(), 400);
        error.message().to_owned()
    };
    assert_eq!(
        refused(Algorithm::FixedWindow, 0, 1),
        "`limit` is 0; must be 1 to 1000000000"
    );
    assert!(
        refused(Algorithm::SlidingLog, 1_001, 1).contains("must be 1 to 1000; a sliding log keeps")
    );
    assert!(refused(Algorithm::TokenBucket, 1_000_000_001, 1).starts_with("`limit`"));
    assert!(refused(Algorithm::TokenBucket, 1, 0).starts_with("`window_ms` is 0"));
    assert!(refused(Algorithm::TokenBucket, 1, 366 * 86_400_000 + 1).contains("366 days"));
    let policy = Policy::new(Algorithm::FixedWindow, 5, 1_000);
    for cost in [0, 6] {
        assert!(
            policy
                .validate_cost(cost)
                .unwrap_err()
                .message()
                .starts_with("`cost` is")
        );
    }
}
