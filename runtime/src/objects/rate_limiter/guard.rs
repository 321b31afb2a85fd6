//! The caller's side: timeouts for a slow or unavailable limiter, and a cache of blocked keys.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use super::core::{Decision, Reason};
use super::object::RateLimiter;
use super::request::{Check, Rule};
use crate::{CallError, Env, Error, Timestamp};

/// The maximum number of blocked keys that one guard caches.
const MAX_BLOCKED: usize = 1_024;
/// The longest time for which a blocked key is refused without a call.
const MAX_BLOCK: Duration = Duration::from_secs(10);
/// The default timeout of a call to the limiter.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Calls the limiters of an app, and decides when they do not answer.
///
/// A guard routes a key to its shard and waits at most for its timeout. Then it fails closed
/// (refuses) or open (allows), as configured. It caches the keys that were refused without any
/// quota left, and refuses them without a call until more is available, for at most 10 s. A flood
/// of one key therefore does not reach the limiter. A reset or a raised limit takes effect after 10
/// s at the latest.
///
/// A guard is shared by an app's handlers (clones share the cache), or is a `#[memory]` field of an
/// object:
///
/// ```
/// use anchorhold::objects::rate_limiter::{Algorithm, Check, Guard, Policy};
/// use anchorhold::prelude::*;
/// use std::time::Duration;
///
/// fn app() -> App {
///     let limiter = Guard::new(16).timeout(Duration::from_millis(200)).fail_open();
///     App::new().get("/quote", move |_, env: Env| {
///         let limiter = limiter.clone();
///         async move {
///             let limit = Policy::new(Algorithm::SlidingWindow, 100, 60_000);
///             limiter.check(&env, Check::new("quotes", limit)).await?.granted()?;
///             Ok(Response::text(200, "Festina lente."))
///         }
///     })
/// }
/// ```
#[derive(Clone)]
pub struct Guard {
    shards: u32,
    timeout: Duration,
    open: bool,
    blocked: Rc<RefCell<Blocked>>,
}

impl Guard {
    /// Creates a guard for this number of shards of [`RateLimiter`], which must be the number that
    /// the app mounts. The timeout is one second, and the guard fails closed.
    #[must_use]
    pub fn new(shards: u32) -> Self {
        Self {
            shards,
            timeout: TIMEOUT,
            open: false,
            blocked: Rc::default(),
        }
    }

    /// Sets the time within which the limiter must answer.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Allows requests when the limiter does not answer. Use it for services that must continue and
    /// can bear a flood.
    #[must_use]
    pub fn fail_open(mut self) -> Self {
        self.open = true;
        self
    }

    /// Refuses requests when the limiter does not answer. Use it for services that must not be
    /// flooded, such as a login.
    #[must_use]
    pub fn fail_closed(mut self) -> Self {
        self.open = false;
        self
    }

    /// Decides a check. The reason is [`Reason::Unavailable`] if the limiter is late, overloaded,
    /// reset or unreachable. A late limiter may have used the cost nevertheless.
    ///
    /// # Errors
    /// Errors that a retry would not fix: the check is out of range, its policy is not set, the
    /// class is not bound, or the call would wait for itself.
    pub async fn check(&self, env: &Env, check: Check) -> Result<Decision, Error> {
        let name = (check.key.clone(), counter(&check.rule));
        if let Some(decision) = self.blocked.borrow().get(&name, env.now()) {
            return Ok(decision);
        }
        let limiter = env
            .objects::<RateLimiter>()
            .sharded(&check.key, self.shards);
        let decision = match env.timeout(self.timeout, limiter.check(check)).await {
            Some(Ok(decision)) => decision,
            Some(Err(CallError::Application(error))) if error.status() < 500 => return Err(error),
            Some(Err(error @ (CallError::Configuration(_) | CallError::CallCycle(_)))) => {
                return Err(error.into());
            }
            Some(Err(error)) => return Ok(self.unavailable(&error.to_string())),
            None => return Ok(self.unavailable("no answer in time")),
        };
        if !decision.allowed && decision.remaining == 0 {
            self.blocked.borrow_mut().put(name, decision, env.now());
        }
        Ok(decision)
    }

    fn unavailable(&self, why: &str) -> Decision {
        tracing::warn!(why, open = self.open, "a rate limiter is unavailable");
        if self.open {
            Decision::all_left(0, Reason::Unavailable)
        } else {
            Decision::nothing_left(0, self.timeout, Reason::Unavailable)
        }
    }
}

impl Default for Guard {
    /// Creates a guard for 16 shards.
    fn default() -> Self {
        Self::new(16)
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Guard")
            .field("shards", &self.shards)
            .field("timeout", &self.timeout)
            .field("open", &self.open)
            .finish_non_exhaustive()
    }
}

/// The key of the cache, besides the key of the check; see [`Rule`].
fn counter(rule: &Rule) -> String {
    match rule {
        Rule::Named(name) => name.clone(),
        // The limit is included, because another limit over the same usage may not be exhausted.
        Rule::Given(policy) => {
            format!(
                "{} {} {}",
                policy.algorithm.name(),
                policy.limit,
                policy.window_ms
            )
        }
    }
}

/// Refusals that are valid until a time. A hash map could be flooded: clients choose the keys, and
/// on wasm the standard hash does not have a random key.
#[derive(Default)]
struct Blocked(BTreeMap<(String, String), Block>);

struct Block {
    limit: u64,
    reason: Reason,
    since: Timestamp,
    until: Timestamp,
    available: Timestamp,
}

impl Blocked {
    fn get(&self, name: &(String, String), now: Timestamp) -> Option<Decision> {
        // If the clock is set back, the entry is ignored, so that it does not last longer.
        let block = self
            .0
            .get(name)
            .filter(|block| (block.since..block.until).contains(&now))?;
        let wait = block.available - now;
        Some(Decision::nothing_left(block.limit, wait, block.reason))
    }

    fn put(&mut self, name: (String, String), decision: Decision, now: Timestamp) {
        let available = now + Duration::from_millis(decision.reset_ms);
        let until = available.min(now + MAX_BLOCK);
        if self.0.len() >= MAX_BLOCKED {
            self.0.retain(|_, block| now < block.until);
        }
        // If the cache is full of valid entries, a further key is not cached.
        if self.0.len() < MAX_BLOCKED {
            let Decision { limit, reason, .. } = decision;
            let block = Block {
                limit,
                reason,
                since: now,
                until,
                available,
            };
            self.0.insert(name, block);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::rate_limiter::{Algorithm, Policy, Usage};

    fn refusal(now: Timestamp) -> Decision {
        let policy = Policy::new(Algorithm::FixedWindow, 1, 5_000);
        let mut usage = Usage::None;
        let _ = policy.take(&mut usage, 1, now);
        policy.take(&mut usage, 1, now)
    }

    #[test]
    fn remembers_a_bounded_number_of_keys_until_their_time() {
        let start = Timestamp::from_millis(1_000_000);
        let later = |millis| start + Duration::from_millis(millis);
        let name = |number: usize| (number.to_string(), String::new());
        let mut blocked = Blocked::default();
        for number in 0..MAX_BLOCKED + 10 {
            blocked.put(name(number), refusal(start), start);
        }
        assert_eq!(blocked.0.len(), MAX_BLOCKED);
        assert_eq!(blocked.get(&name(MAX_BLOCKED), start), None);
        let remembered = blocked.get(&name(0), later(1_000));
        assert_eq!(
            remembered.map(|decision| decision.retry_after_ms),
            Some(4_000)
        );
        assert_eq!(blocked.get(&name(0), later(5_000)), None);
        blocked.put(name(MAX_BLOCKED), refusal(later(5_000)), later(5_000));
        assert_eq!(blocked.0.len(), 1, "what is over makes room");
    }

    #[test]
    fn a_long_block_is_asked_for_again() {
        let start = Timestamp::from_millis(0);
        let long = Decision {
            reset_ms: 3_600_000,
            ..refusal(start)
        };
        let mut blocked = Blocked::default();
        blocked.put(Default::default(), long, start);
        assert!(
            blocked
                .get(&Default::default(), start + MAX_BLOCK)
                .is_none()
        );
    }
}
