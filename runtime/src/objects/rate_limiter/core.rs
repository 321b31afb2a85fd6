//! The decisions of the rate limiter: a policy, the usage of a key and a time in, a decision out.
//!
//! It uses neither a clock nor storage. An object of your own can store a [`Usage`] anywhere and
//! ask the policy.
//!
//! ```
//! use anchorhold::Timestamp;
//! use anchorhold::objects::rate_limiter::{Algorithm, Policy, Usage};
//!
//! let policy = Policy::new(Algorithm::TokenBucket, 2, 1_000);
//! let mut usage = Usage::default();
//! let now = Timestamp::from_millis(1_760_000_000_000);
//!
//! assert!(policy.take(&mut usage, 1, now).allowed);
//! assert!(policy.take(&mut usage, 1, now).allowed);
//! let refused = policy.take(&mut usage, 1, now);
//! assert_eq!((refused.allowed, refused.retry_after_ms), (false, 500));
//! ```
//!
//! # Guarantees of the algorithms
//!
//! A *window* is `window_ms`. Quantities are sums of costs. Times are those at which
//! [`Policy::take`] was called.
//!
//! | algorithm | allows at most | stored per key |
//! | --- | --- | --- |
//! | [`FixedWindow`](Algorithm::FixedWindow) | `limit` in each of the key's windows, so less than twice the limit in any period of one window | one time, one count |
//! | [`SlidingWindow`](Algorithm::SlidingWindow) | `limit` in **any** period of one window | at most 17 counts |
//! | [`SlidingLog`](Algorithm::SlidingLog) | `limit` in **any** period of one window | each allowed cost of the last window, at most 1,000 |
//! | [`TokenBucket`](Algorithm::TokenBucket) | `limit + limit × d / window` in any period of *d* | one time |
//!
//! A backwards clock step never grants extra quota. A cost whose time is later than now counts
//! until the time at which it would have expired anyway.

use serde::{Deserialize, Serialize};

pub use super::policy::{Algorithm, MAX_LIMIT, MAX_LOG_LIMIT, MAX_WINDOW_MS, Policy};
use super::usage::Usage;
use crate::Timestamp;

/// A decision of the rate limiter.
#[must_use = "the decision must be enforced by the caller"]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// `true` if the caller may proceed.
    pub allowed: bool,
    /// The limit; 0 if it is not known.
    pub limit: u64,
    /// The window of the limit, in milliseconds; 0 if it is not known.
    #[serde(default)]
    pub window_ms: u64,
    /// The quota that is left after this decision.
    pub remaining: u64,
    /// The milliseconds until more quota is available than now; 0 if all is available.
    pub reset_ms: u64,
    /// The milliseconds after which a retry with the same cost is useful; 0 if it was allowed.
    pub retry_after_ms: u64,
    /// The reason.
    pub reason: Reason,
}

/// The reason for a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Allowed: there was enough quota.
    WithinLimit,
    /// Refused: there was not enough quota.
    OverLimit,
    /// Refused: this limit had enough quota, but another one in the same request did not. No quota
    /// was used.
    OtherRefused,
    /// Allowed: the key is on the allow list. No quota was used.
    AllowListed,
    /// Refused: the key is on the deny list.
    DenyListed,
    /// Allowed in shadow mode, although there was not enough quota. No quota was used.
    Shadow,
    /// The limiter did not answer. The guard fails open (allowed) or closed (refused).
    Unavailable,
}

impl Policy {
    /// Uses `cost` if that much quota is left. `usage` changes only if the decision allows the
    /// cost.
    ///
    /// A cost over the limit is always refused; call [`validate_cost`](Self::validate_cost) first
    /// to find out. A usage of another algorithm counts as none.
    pub fn take(&self, usage: &mut Usage, cost: u64, now: Timestamp) -> Decision {
        let decision = self.peek(usage, cost, now);
        if !decision.allowed {
            return decision;
        }
        *usage = usage.with(self, cost, now);
        let remaining = usage.remaining(self, now);
        Decision {
            remaining,
            reset_ms: self.reset_ms(usage, remaining, now),
            ..decision
        }
    }

    /// Returns what [`take`](Self::take) would decide, with the quota that is left now.
    pub fn peek(&self, usage: &Usage, cost: u64, now: Timestamp) -> Decision {
        let remaining = usage.remaining(self, now);
        let allowed = cost <= remaining;
        Decision {
            allowed,
            limit: self.limit,
            window_ms: self.window_ms,
            remaining,
            reset_ms: self.reset_ms(usage, remaining, now),
            retry_after_ms: if allowed {
                0
            } else {
                usage.wait_ms(self, cost, now)
            },
            reason: if allowed {
                Reason::WithinLimit
            } else {
                Reason::OverLimit
            },
        }
    }

    /// Gives back a `cost` that was [taken](Self::take) at the time `at`, as far as it still
    /// counts. Call it at most once per cost.
    ///
    /// It never restores more quota than the cost still takes up. Where that cannot be known
    /// exactly (after a backwards clock step, or in a token bucket that has refilled since), it
    /// restores less.
    pub fn give_back(&self, usage: &mut Usage, cost: u64, at: Timestamp, now: Timestamp) {
        *usage = usage.without(self, cost, at, now);
    }

    fn reset_ms(&self, usage: &Usage, remaining: u64, now: Timestamp) -> u64 {
        if remaining >= self.limit {
            0
        } else {
            usage.wait_ms(self, remaining + 1, now)
        }
    }
}
