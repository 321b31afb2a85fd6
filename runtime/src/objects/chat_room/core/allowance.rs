//! The rate limit of each user's posts.

use std::collections::BTreeMap;
use std::time::Duration;

use anchorhold::Timestamp;
use anchorhold::objects::rate_limiter::{Algorithm, Policy, Usage};

use super::settings::Settings;

/// The number of users from which on those with full buckets are dropped.
const MANY_USERS: usize = 1_024;
/// The number of frames of one user, besides twice its posts, in 10 s. A welcome costs up to 257.
pub const FRAMES: u64 = 300;
const FRAMES_WINDOW_MS: u64 = 10_000;

/// The token buckets of a room's users, by the rate limiter's core.
///
/// They are kept in memory and need no additional writes. Each message is stored with the time at
/// which its sender's bucket is full again, which is the whole state of a bucket.
#[derive(Clone, Debug)]
pub struct Allowances {
    policy: Policy,
    window: Duration,
    /// A hash map could be flooded: clients choose the names, and on wasm the standard hash does
    /// not have a random key.
    users: BTreeMap<String, Usage>,
    /// The number of users at which full buckets are dropped again.
    many: usize,
    /// Whether a bucket that seems emptier than empty, because the clock was set back, is full. For
    /// posts it is empty, so that a clock cannot grant them.
    refills_after_step: bool,
}

impl Allowances {
    /// Creates the buckets for posts, with the size of the settings. Each is full at the time given
    /// with its user.
    pub fn restored(
        settings: &Settings,
        full: impl IntoIterator<Item = (String, Timestamp)>,
    ) -> Self {
        let mut buckets = Self::full(settings.rate_limit, settings.rate_window_ms);
        let known = full.into_iter().map(|(user, full)| (user, bucket(full)));
        buckets.users = known.collect();
        buckets
    }

    /// Creates the buckets for frames of any kind, refused ones among them, and for welcomes:
    /// [`FRAMES`] in 10 s and twice the limit of the posts.
    #[must_use]
    pub fn frames(settings: &Settings) -> Self {
        let limit = settings.rate_limit.saturating_mul(2) + FRAMES;
        Self {
            // No socket should be closed because of the host's clock.
            refills_after_step: true,
            ..Self::full(limit, FRAMES_WINDOW_MS)
        }
    }

    fn full(limit: u64, window_ms: u64) -> Self {
        Self {
            policy: Policy::new(Algorithm::TokenBucket, limit, window_ms),
            window: Duration::from_millis(window_ms),
            users: BTreeMap::new(),
            many: MANY_USERS,
            refills_after_step: false,
        }
    }

    /// Takes one message of `user`. Returns when the bucket is full again. A backwards clock step
    /// never grants extra quota: the bucket counts as empty at most.
    ///
    /// # Errors
    /// The bucket is empty. The error is the time until there is room for one message.
    pub fn take(&mut self, user: &str, now: Timestamp) -> Result<Timestamp, Duration> {
        self.take_cost(user, 1, now)
    }

    /// Takes a cost that is not one message. A cost over the size of the bucket takes all of it.
    ///
    /// # Errors
    /// There is not enough. The error is the time until there is.
    pub fn take_cost(
        &mut self,
        user: &str,
        cost: u64,
        now: Timestamp,
    ) -> Result<Timestamp, Duration> {
        let cost = cost.min(self.policy.limit);
        if self.users.len() >= self.many {
            self.forget_the_idle(now);
        }
        let usage = match self.users.get_mut(user) {
            Some(usage) => usage,
            None => self.users.entry(user.to_owned()).or_default(),
        };
        // A bucket cannot be emptier than empty. One that seems so was used before the clock was
        // set back, and would block its user until that time comes again.
        let empty = bucket(now + self.window);
        if usage.expires(&self.policy) > empty.expires(&self.policy) {
            *usage = if self.refills_after_step {
                Usage::None
            } else {
                empty
            };
        }
        let decision = self.policy.take(usage, cost, now);
        if decision.allowed {
            Ok(usage.expires(&self.policy).unwrap_or(now))
        } else {
            Err(Duration::from_millis(decision.retry_after_ms))
        }
    }

    /// Returns the number of remembered users: those whose buckets are not full, and a few more.
    #[must_use]
    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// Returns `true` if no user is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    fn forget_the_idle(&mut self, now: Timestamp) {
        let policy = &self.policy;
        self.users
            .retain(|_, usage| usage.expires(policy).is_some_and(|full| full > now));
        self.many = (self.users.len() * 2).max(MANY_USERS);
    }
}

/// Returns a bucket that is full at this time.
fn bucket(full: Timestamp) -> Usage {
    Usage::Bucket {
        full,
        part: 0,
        of: 1,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_760_000_000_000);

    fn settings(rate_limit: u64, rate_window_ms: u64) -> Settings {
        Settings {
            rate_limit,
            rate_window_ms,
            ..Settings::default()
        }
    }

    proptest! {
        #[test]
        fn a_lost_memory_lets_nothing_more_through(
            limit in 1_u64..20,
            posts in prop::collection::vec((0_u64..700, 0_u8..3, any::<bool>()), 1..200),
        ) {
            let settings = settings(limit, 5_000);
            let mut now = START;
            let mut kept = Allowances::restored(&settings, []);
            let mut lost = kept.clone();
            let mut stored = BTreeMap::new();
            for (pause, user, forget) in posts {
                now = now + Duration::from_millis(pause);
                let user = user.to_string();
                if forget {
                    lost = Allowances::restored(&settings, stored.clone());
                }
                let patient = lost.clone();
                match lost.take(&user, now) {
                    Ok(full) => {
                        stored.insert(user.clone(), full);
                        prop_assert!(kept.take(&user, now).is_ok());
                    }
                    Err(wait) => prop_assert!(patient.clone().take(&user, now + wait).is_ok()),
                }
            }
        }

        #[test]
        fn users_do_not_pay_for_each_other(posts in prop::collection::vec(0_u8..4, 1..100)) {
            let mut allowances = Allowances::restored(&settings(5, 1_000_000), []);
            let mut counts = BTreeMap::<u8, u32>::new();
            for user in posts {
                let allowed = allowances.take(&user.to_string(), START).is_ok();
                let count = counts.entry(user).or_default();
                *count += 1;
                prop_assert_eq!(allowed, *count <= 5);
            }
        }
    }

    #[test]
    fn clock_that_is_set_back_costs_a_user_one_window_at_most() {
        let mut allowances = Allowances::restored(&settings(5, 10_000), []);
        let full = allowances.take("ann", START).unwrap();
        let back = START - Duration::from_secs(3_600);
        let restored = Allowances::restored(&settings(5, 10_000), [("ann".to_owned(), full)]);
        for mut allowances in [allowances, restored] {
            let wait = allowances.take("ann", back).unwrap_err();
            assert_eq!(wait, Duration::from_secs(2), "one of five is back by then");
            allowances.take("ann", back + wait).unwrap();
            allowances.take("ann", back + wait).unwrap_err();
        }
    }

    #[test]
    fn one_off_users_are_forgotten() {
        let mut allowances = Allowances::restored(&Settings::default(), []);
        for number in 0..100_000_u64 {
            let now = START + Duration::from_millis(number);
            allowances.take(&number.to_string(), now).unwrap();
        }
        assert!(allowances.len() <= 2 * MANY_USERS, "{}", allowances.len());
    }
}
