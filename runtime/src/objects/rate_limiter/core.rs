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
//! A clock that goes back opens no gate: what was let through later than now still counts, until
//! the time has come again at which it would have been given back anyway.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::usage::Usage;
use crate::{Error, Timestamp};

/// The largest `limit`.
pub const MAX_LIMIT: u64 = 1_000_000_000;
/// The largest `limit` of a [`SlidingLog`](Algorithm::SlidingLog), which keeps every cost it let through.
pub const MAX_LOG_LIMIT: u64 = 1_000;
/// The longest window: 366 days.
pub const MAX_WINDOW_MS: u64 = 366 * 24 * 60 * 60 * 1_000;

/// How a limit is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    /// A window begins with the first request and ends a window later; then the next request
    /// begins another. The cheapest; two bursts may meet where one window ends and the next begins.
    FixedWindow,
    /// A window that moves with time, counted in sixteenths. All that was used in a sixteenth counts
    /// as used with the last of it, so the approximation errs to the side of refusing: what was used
    /// is given back up to a sixteenth of a window late, and never early. (The common approximation
    /// by two weighted counters may let nearly twice the limit through in one window.)
    SlidingWindow,
    /// A window that moves with time, exact to the millisecond. Its `limit` is at most 1,000.
    SlidingLog,
    /// A bucket of `limit` tokens that fills up again evenly, all of it in one window: bursts up to
    /// the limit, then a steady rate. Kept as one time, by the generic cell rate algorithm (ITU-T
    /// I.371, Annex A), exact: no rounding adds or loses a token.
    TokenBucket,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 4] = [
        Self::FixedWindow,
        Self::SlidingWindow,
        Self::SlidingLog,
        Self::TokenBucket,
    ];

    /// The name by which it goes in JSON and in header fields.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FixedWindow => "fixed_window",
            Self::SlidingWindow => "sliding_window",
            Self::SlidingLog => "sliding_log",
            Self::TokenBucket => "token_bucket",
        }
    }
}

/// How much a key may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// How it is counted.
    pub algorithm: Algorithm,
    /// How much may be used, from 1 to 1,000,000,000 (to 1,000 in a sliding log).
    pub limit: u64,
    /// In how many milliseconds, from 1 to those of 366 days.
    pub window_ms: u64,
}

/// What was decided.
#[must_use = "a limit that nobody looks at limits nothing"]
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
    /// A policy.
    #[must_use]
    pub const fn new(algorithm: Algorithm, limit: u64, window_ms: u64) -> Self {
        Self {
            algorithm,
            limit,
            window_ms,
        }
    }

    /// Whether the limit and the window are in their ranges.
    ///
    /// # Errors
    /// 400 that names what is not.
    pub fn validate(&self) -> Result<(), Error> {
        let highest = match self.algorithm {
            Algorithm::SlidingLog => MAX_LOG_LIMIT,
            _ => MAX_LIMIT,
        };
        in_range("limit", self.limit, highest, || match self.algorithm {
            Algorithm::SlidingLog => {
                "; a sliding log keeps every request, take `sliding_window` for more"
            }
            _ => "",
        })?;
        in_range("window_ms", self.window_ms, MAX_WINDOW_MS, || " (366 days)")
    }

    /// Whether a cost is in the range of this policy.
    ///
    /// # Errors
    /// 400: it is zero, or over the limit: such a request would be refused for ever.
    pub fn validate_cost(&self, cost: u64) -> Result<(), Error> {
        in_range("cost", cost, self.limit, || ", the limit")
    }

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

    pub(super) fn window(&self) -> Duration {
        Duration::from_millis(self.window_ms)
    }

    fn reset_ms(&self, usage: &Usage, remaining: u64, now: Timestamp) -> u64 {
        if remaining >= self.limit {
            0
        } else {
            usage.wait_ms(self, remaining + 1, now)
        }
    }
}

fn in_range(
    name: &str,
    value: u64,
    highest: u64,
    hint: impl FnOnce() -> &'static str,
) -> Result<(), Error> {
    if (1..=highest).contains(&value) {
        return Ok(());
    }
    Err(Error::bad_request(
        "bad_request",
        format!("`{name}` is {value}, and not from 1 to {highest}{}", hint()),
    ))
}
