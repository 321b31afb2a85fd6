//! Policies: how a limit is counted, its quota and its window.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::objects::range::in_range;

/// The largest `limit`.
pub const MAX_LIMIT: u64 = 1_000_000_000;
/// The largest `limit` of a [`SlidingLog`](Algorithm::SlidingLog), which stores every allowed cost.
pub const MAX_LOG_LIMIT: u64 = 1_000;
/// The longest window: 366 days.
pub const MAX_WINDOW_MS: u64 = 366 * 24 * 60 * 60 * 1_000;

/// How a limit is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    /// A window begins with the first request. The first request after its end begins another. It
    /// is the cheapest algorithm. Two bursts may meet where one window ends and the next begins.
    FixedWindow,
    /// A moving window, counted in sixteenths. Everything that was used in a sixteenth counts as
    /// used at its last request. The approximation therefore errs on the side of refusing: quota is
    /// restored up to a sixteenth of a window late and never early. (The common approximation by
    /// two weighted counters may allow nearly twice the limit in one window.)
    SlidingWindow,
    /// A moving window, exact to the millisecond. Its `limit` is at most 1,000.
    SlidingLog,
    /// A bucket of `limit` tokens that refills evenly in one window: it allows bursts up to the
    /// limit, then a steady rate. It is stored as one time, by the generic cell rate algorithm
    /// (ITU-T I.371, Annex A). It is exact: rounding never adds or loses a token.
    TokenBucket,
}

impl Algorithm {
    /// All algorithms.
    pub const ALL: [Self; 4] = [
        Self::FixedWindow,
        Self::SlidingWindow,
        Self::SlidingLog,
        Self::TokenBucket,
    ];

    /// Returns its name in JSON and in header fields.
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

/// The quota of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// How it is counted.
    pub algorithm: Algorithm,
    /// The quota, from 1 to 1,000,000,000 (to 1,000 in a sliding log).
    pub limit: u64,
    /// The window in milliseconds, from 1 to 31,622,400,000 (366 days).
    pub window_ms: u64,
}

impl Policy {
    /// Creates a policy.
    #[must_use]
    pub const fn new(algorithm: Algorithm, limit: u64, window_ms: u64) -> Self {
        Self {
            algorithm,
            limit,
            window_ms,
        }
    }

    /// Checks the ranges of the limit and the window.
    ///
    /// # Errors
    /// 400 that names the field out of range.
    pub fn validate(&self) -> Result<(), Error> {
        let (highest, hint) = match self.algorithm {
            Algorithm::SlidingLog => (
                MAX_LOG_LIMIT,
                "; a sliding log keeps every request, use `sliding_window` for more",
            ),
            _ => (MAX_LIMIT, ""),
        };
        check_range("limit", self.limit, highest, hint)?;
        check_range("window_ms", self.window_ms, MAX_WINDOW_MS, " (366 days)")
    }

    /// Checks the range of a cost under this policy.
    ///
    /// # Errors
    /// 400 if the cost is zero or over the limit. Such a request would always be refused.
    pub fn validate_cost(&self, cost: u64) -> Result<(), Error> {
        check_range("cost", cost, self.limit, ", the limit")
    }

    pub(super) fn window(&self) -> Duration {
        Duration::from_millis(self.window_ms)
    }
}

/// A policy with a name, written in the app's code.
///
/// ```
/// use anchorhold::objects::rate_limiter::{Algorithm, Check, Limit, Policy};
///
/// const LOGINS: Limit = Limit::new("logins", Policy::new(Algorithm::SlidingLog, 5, 60_000));
///
/// let check = Check::new("ann", LOGINS);
/// ```
///
/// The usage of a key is counted separately for each name. If the code's limit changes, earlier
/// usage still counts. A policy that was [set](super::RateLimiterStub::set_policy) under the same
/// name replaces the code's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The name: 1 to 64 letters, digits, `-`, `_` and `.`.
    pub name: &'static str,
    /// The policy.
    pub policy: Policy,
}

impl Limit {
    /// Creates a limit.
    #[must_use]
    pub const fn new(name: &'static str, policy: Policy) -> Self {
        Self { name, policy }
    }
}

pub(super) fn check_range(name: &str, value: u64, highest: u64, hint: &str) -> Result<(), Error> {
    in_range(name, value, 1..=highest)
        .map_err(|message| Error::bad_request("bad_request", message + hint))
}
