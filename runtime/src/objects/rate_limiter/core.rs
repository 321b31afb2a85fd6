//! The decisions of the rate limiter: a policy, what a key has used, and a time in; a decision out.
//!
//! No clock, no storage: an object of your own keeps a [`Usage`] where it likes and asks.
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
//! # What each algorithm promises
//!
//! Costs are added up; *window* is `window_ms`. Times are those at which [`Policy::take`] was asked.
//!
//! | algorithm | never more is let through than | kept for a key |
//! | --- | --- | --- |
//! | [`FixedWindow`](Algorithm::FixedWindow) | `limit` in each of the key's windows, so less than twice the limit in any stretch of one window | one time, one count |
//! | [`SlidingWindow`](Algorithm::SlidingWindow) | `limit` in **any** stretch of one window | at most 17 counts |
//! | [`SlidingLog`](Algorithm::SlidingLog) | `limit` in **any** stretch of one window | each cost that was let through in the last window, at most 1,000 |
//! | [`TokenBucket`](Algorithm::TokenBucket) | `limit + limit × d / window` in any stretch of *d* | one time |
//!
//! A backwards clock step never grants extra quota: what was let through later than now still counts, until
//! the time has come again at which it would have been given back anyway.

use serde::{Deserialize, Serialize};

pub use super::policy::{Algorithm, MAX_LIMIT, MAX_LOG_LIMIT, MAX_WINDOW_MS, Policy};
use super::usage::Usage;
use crate::Timestamp;

/// What was decided.
#[must_use = "the decision must be enforced by the caller"]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Whether the caller may go on.
    pub allowed: bool,
    /// How much may be used in all.
    pub limit: u64,
    /// How much is left, after this decision.
    pub remaining: u64,
    /// In how many milliseconds more is available than now; 0 if all is.
    pub reset_ms: u64,
    /// In how many milliseconds it is worth asking again for the same cost; 0 if it was allowed.
    pub retry_after_ms: u64,
    /// Why.
    pub reason: Reason,
}

/// Why a decision is as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Allowed: there was enough left.
    WithinLimit,
    /// Refused: there was not enough left.
    OverLimit,
    /// Refused: this limit had enough left, but another that was asked together with it had not.
    /// Nothing was used.
    OtherRefused,
    /// Allowed: the key is on the allow list. Nothing was used.
    AllowListed,
    /// Refused: the key is on the deny list.
    DenyListed,
    /// Allowed, although there was not enough left: the policy runs in shadow. Nothing was used.
    Shadow,
    /// The limiter could not be asked; the guard fails open (allowed) or closed (refused).
    Unavailable,
}

impl Policy {
    /// Uses `cost` if so much is left. `usage` changes only if the decision is to allow.
    ///
    /// A cost over the limit is always refused; [`validate_cost`](Self::validate_cost) tells before.
    /// A usage of another algorithm counts as none.
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

    /// What [`take`](Self::take) would decide, with what is left now.
    pub fn peek(&self, usage: &Usage, cost: u64, now: Timestamp) -> Decision {
        let remaining = usage.remaining(self, now);
        let allowed = cost <= remaining;
        Decision {
            allowed,
            limit: self.limit,
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

    fn reset_ms(&self, usage: &Usage, remaining: u64, now: Timestamp) -> u64 {
        if remaining >= self.limit {
            0
        } else {
            usage.wait_ms(self, remaining + 1, now)
        }
    }
}
