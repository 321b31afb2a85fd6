//! How much each user may still post.

use std::collections::HashMap;
use std::time::Duration;

use anchorhold::Timestamp;

use super::bucket::{Policy, Usage};
use super::settings::Settings;

/// So many users are remembered before those with nothing to remember are forgotten.
const MANY_USERS: usize = 1_024;

/// The token buckets of a room's users.
///
/// They live in memory only. When the object comes back into memory they are what they were, because
/// they are rebuilt from what the users have posted: the history is the log of it, and costs nothing
/// more to keep.
#[derive(Clone, Debug)]
pub struct Allowances {
    policy: Policy,
    users: HashMap<String, Usage>,
    /// When those with nothing to remember are looked for again.
    many: usize,
}

impl Allowances {
    /// Full buckets of the size that the settings say.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self {
            policy: Policy::new(settings.rate_limit, settings.rate_window_ms),
            users: HashMap::new(),
            many: MANY_USERS,
        }
    }

    /// Takes one message of `user`, or says after what time there is room for it.
    ///
    /// # Errors
    /// How long to wait.
    pub fn take(&mut self, user: &str, now: Timestamp) -> Result<(), Duration> {
        if self.users.len() >= self.many {
            self.forget_the_idle(now);
        }
        let usage = match self.users.get_mut(user) {
            Some(usage) => usage,
            None => self.users.entry(user.to_owned()).or_default(),
        };
        let decision = self.policy.take(usage, 1, now);
        if decision.allowed {
            Ok(())
        } else {
            Err(Duration::from_millis(decision.retry_after_ms.max(1)))
        }
    }

    /// How many users are remembered: those who posted within the window, and a few more.
    #[must_use]
    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// Whether nobody is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// A full bucket is what a user without one has.
    fn forget_the_idle(&mut self, now: Timestamp) {
        let policy = &self.policy;
        self.users
            .retain(|_, usage| policy.peek(usage, 1, now).reset_ms > 0);
        self.many = (self.users.len() * 2).max(MANY_USERS);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn settings(rate_limit: u64, rate_window_ms: u64) -> Settings {
        Settings {
            rate_limit,
            rate_window_ms,
            ..Settings::default()
        }
    }

    proptest! {
        #[test]
        fn never_more_than_the_bucket_and_what_flows_into_it(
            limit in 1_u64..20,
            window in 1_000_u64..10_000,
            pauses in prop::collection::vec(0_u64..700, 1..200),
        ) {
            let mut allowances = Allowances::new(&settings(limit, window));
            let mut now = Timestamp::from_millis(1_760_000_000_000);
            let mut posted: Vec<Timestamp> = Vec::new();
            for pause in pauses {
                now = now + Duration::from_millis(pause);
                match allowances.take("ann", now) {
                    Ok(()) => posted.push(now),
                    Err(wait) => {
                        // It is enough to wait so long.
                        prop_assert!(allowances.clone().take("ann", now + wait).is_ok());
                    }
                }
            }
            for (first, start) in posted.iter().enumerate() {
                for (count, end) in posted[first..].iter().enumerate() {
                    let millis = u64::try_from((*end - *start).as_millis()).unwrap();
                    let most = u128::from(limit) * u128::from(window + millis) / u128::from(window);
                    prop_assert!(count as u128 + 1 <= most + 1);
                }
            }
        }

        #[test]
        fn what_was_posted_is_enough_to_rebuild_it(
            limit in 1_u64..20,
            pauses in prop::collection::vec(0_u64..2_000, 1..100),
        ) {
            let settings = settings(limit, 5_000);
            let mut now = Timestamp::from_millis(1_760_000_000_000);
            let mut allowances = Allowances::new(&settings);
            let mut posted = Vec::new();
            for pause in pauses {
                now = now + Duration::from_millis(pause);
                let mut rebuilt = Allowances::new(&settings);
                for at in posted.iter().filter(|at| now - **at < Duration::from_millis(5_000)) {
                    let _ = rebuilt.take("ann", *at);
                }
                let outcome = allowances.take("ann", now);
                // What is older than the window can have left a debt that is forgotten: never one
                // that would refuse more than the full log would.
                let again = rebuilt.take("ann", now);
                prop_assert!(outcome.is_err() || again.is_ok());
                if outcome.is_ok() {
                    posted.push(now);
                }
            }
        }
    }

    #[test]
    fn one_off_users_are_forgotten() {
        let mut allowances = Allowances::new(&Settings::default());
        let start = Timestamp::from_millis(1_760_000_000_000);
        for number in 0..100_000_u64 {
            let now = start + Duration::from_millis(number);
            allowances.take(&number.to_string(), now).unwrap();
        }
        assert!(allowances.len() <= 2 * MANY_USERS, "{}", allowances.len());
    }
}
