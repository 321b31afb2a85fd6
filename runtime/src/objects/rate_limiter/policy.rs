//! What a limit is: how it is counted, how much, in how long.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::objects::range::in_range;

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
        let (highest, hint) = match self.algorithm {
            Algorithm::SlidingLog => (
                MAX_LOG_LIMIT,
                "; a sliding log keeps every request, take `sliding_window` for more",
            ),
            _ => (MAX_LIMIT, ""),
        };
        check_range("limit", self.limit, highest, hint)?;
        check_range("window_ms", self.window_ms, MAX_WINDOW_MS, " (366 days)")
    }

    /// Whether a cost is in the range of this policy.
    ///
    /// # Errors
    /// 400: it is zero, or over the limit: such a request would be refused for ever.
    pub fn validate_cost(&self, cost: u64) -> Result<(), Error> {
        check_range("cost", cost, self.limit, ", the limit")
    }

    pub(super) fn window(&self) -> Duration {
        Duration::from_millis(self.window_ms)
    }
}

pub(super) fn check_range(name: &str, value: u64, highest: u64, hint: &str) -> Result<(), Error> {
    in_range(name, value, 1..=highest)
        .map_err(|message| Error::bad_request("bad_request", message + hint))
}
