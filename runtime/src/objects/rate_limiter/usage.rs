//! The usage of a key, and the arithmetic of the four algorithms.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::policy::{Algorithm, MAX_LIMIT, MAX_WINDOW_MS, Policy};
use crate::Timestamp;
use crate::objects::millis::millis;

/// The number of slices in which a sliding window is counted.
const SLICES: u64 = 16;

/// The usage of a key: the state of [`Policy::take`] between decisions.
///
/// It is small. A fixed window is one time and one count, a token bucket is one time. A sliding
/// window is at most 17 counts with their times, a sliding log at most as many as its limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Usage {
    /// Nothing was used.
    #[default]
    None,
    /// The usage of a fixed window.
    Window {
        /// The first moment after the window.
        ends: Timestamp,
        /// The quota used in it.
        used: u64,
    },
    /// Costs with their times, in order. Each counts until one window after its time.
    Log(Vec<(Timestamp, u64)>),
    /// A bucket that is full again at the time `full` plus `part / of` milliseconds.
    Bucket {
        /// Whole milliseconds.
        full: Timestamp,
        /// The numerator of the fraction of a millisecond.
        part: u64,
        /// The denominator of the fraction of a millisecond.
        of: u64,
    },
}

impl Usage {
    /// Returns the time from which this equals [`Usage::None`] and may be deleted. Returns `None`
    /// if it does now.
    #[must_use]
    pub fn expires(&self, policy: &Policy) -> Option<Timestamp> {
        match self {
            Self::None => None,
            Self::Window { ends, .. } => Some(*ends),
            Self::Log(entries) => entries.last().map(|(time, _)| *time + policy.window()),
            Self::Bucket { full, part, .. } => {
                Some(*full + Duration::from_millis(u64::from(*part > 0)))
            }
        }
    }

    /// Returns the quota that is left.
    pub(super) fn remaining(&self, policy: &Policy, now: Timestamp) -> u64 {
        match policy.algorithm {
            Algorithm::FixedWindow => {
                let used = self.open_window(now).map_or(0, |(_, used)| used);
                policy.limit.saturating_sub(used)
            }
            Algorithm::SlidingWindow | Algorithm::SlidingLog => {
                policy.limit.saturating_sub(sum(self.counted(policy, now)))
            }
            Algorithm::TokenBucket => {
                let bucket = Bucket::of(policy);
                let left = bucket.capacity() - bucket.missing(self, now);
                u64::try_from(left.max(0) / bucket.window).unwrap_or(u64::MAX)
            }
        }
    }

    /// Returns the milliseconds until `amount` is available, if nothing else is used.
    pub(super) fn wait_ms(&self, policy: &Policy, amount: u64, now: Timestamp) -> u64 {
        if amount <= self.remaining(policy, now) {
            return 0;
        }
        match policy.algorithm {
            Algorithm::FixedWindow => self
                .open_window(now)
                .map_or(0, |(ends, _)| millis(ends - now)),
            Algorithm::SlidingWindow | Algorithm::SlidingLog => {
                let mut used = sum(self.counted(policy, now));
                let mut given_back = now;
                for (time, cost) in self.counted(policy, now) {
                    given_back = *time + policy.window();
                    used = used.saturating_sub(*cost);
                    if used.saturating_add(amount) <= policy.limit {
                        break;
                    }
                }
                millis(given_back - now)
            }
            Algorithm::TokenBucket => {
                let bucket = Bucket::of(policy);
                let may_miss =
                    bucket.capacity() - i128::from(amount.min(policy.limit)) * bucket.window;
                let excess = bucket.missing(self, now) - may_miss;
                u64::try_from(round_up(excess, bucket.limit)).unwrap_or(0)
            }
        }
    }

    /// Returns the usage after another `cost`.
    pub(super) fn with(&self, policy: &Policy, cost: u64, now: Timestamp) -> Self {
        match policy.algorithm {
            Algorithm::FixedWindow => {
                let (ends, used) = self.open_window(now).unwrap_or((now + policy.window(), 0));
                Self::Window {
                    ends,
                    used: used.saturating_add(cost),
                }
            }
            Algorithm::SlidingWindow => {
                self.logged(policy, policy.window_ms.div_ceil(SLICES), cost, now)
            }
            Algorithm::SlidingLog => self.logged(policy, 1, cost, now),
            Algorithm::TokenBucket => Bucket::of(policy).emptied(self, cost, now),
        }
    }

    /// Returns the usage without a `cost` that was used at the time `at`, as far as it still counts.
    pub(super) fn without(
        &self,
        policy: &Policy,
        cost: u64,
        at: Timestamp,
        now: Timestamp,
    ) -> Self {
        if at + policy.window() <= now {
            return self.clone();
        }
        match (policy.algorithm, self) {
            (Algorithm::FixedWindow, Self::Window { ends, used }) => {
                let is_in_window = *ends - policy.window() <= at && at < *ends;
                Self::Window {
                    ends: *ends,
                    used: if is_in_window {
                        used.saturating_sub(cost)
                    } else {
                        *used
                    },
                }
            }
            (Algorithm::SlidingWindow | Algorithm::SlidingLog, Self::Log(entries)) => {
                // The cost is in an entry of its time or later. The first such entry expires no
                // later than the one with the cost.
                let mut entries = entries.clone();
                let first = entries.partition_point(|(time, _)| *time < at);
                if let Some((_, used)) = entries.get_mut(first) {
                    *used = used.saturating_sub(cost);
                }
                entries.retain(|(_, used)| *used > 0);
                Self::Log(entries)
            }
            (Algorithm::TokenBucket, Self::Bucket { .. }) => {
                Bucket::of(policy).refunded(self, cost, at, now)
            }
            _ => self.clone(),
        }
    }

    fn open_window(&self, now: Timestamp) -> Option<(Timestamp, u64)> {
        match self {
            Self::Window { ends, used } if now < *ends => Some((*ends, *used)),
            _ => None,
        }
    }

    /// Returns the entries of a log that still count.
    fn counted(&self, policy: &Policy, now: Timestamp) -> &[(Timestamp, u64)] {
        let Self::Log(entries) = self else { return &[] };
        let first = entries.partition_point(|(time, _)| *time + policy.window() <= now);
        &entries[first..]
    }

    /// Adds a cost. Everything in one slice counts as used at its last request, so it never counts
    /// for too short a time.
    fn logged(&self, policy: &Policy, slice_ms: u64, cost: u64, now: Timestamp) -> Self {
        let mut entries = self.counted(policy, now).to_vec();
        let slice_ms = i64::try_from(slice_ms).unwrap_or(i64::MAX).max(1);
        let slice = |time: Timestamp| time.as_millis().div_euclid(slice_ms);
        match entries.last_mut() {
            // A later slice is possible after a backwards clock step: counting continues from
            // there.
            Some((last, used)) if slice(*last) >= slice(now) => {
                *last = now.max(*last);
                *used = used.saturating_add(cost);
            }
            _ => entries.push((now, cost)),
        }
        Self::Log(entries)
    }
}

fn sum(entries: &[(Timestamp, u64)]) -> u64 {
    entries
        .iter()
        .fold(0, |sum, (_, used)| sum.saturating_add(*used))
}

fn round_up(amount: i128, unit: i128) -> i128 {
    amount.div_euclid(unit) + i128::from(amount.rem_euclid(unit) > 0)
}

/// The generic cell rate algorithm in integers. Time is counted in parts of a millisecond. A
/// millisecond has `limit` parts, so that one token is exactly `window` of them.
struct Bucket {
    limit: i128,
    window: i128,
}

impl Bucket {
    fn of(policy: &Policy) -> Self {
        Self {
            // Their ranges are not checked here, and larger values would overflow the products.
            limit: i128::from(policy.limit.clamp(1, MAX_LIMIT)),
            window: i128::from(policy.window_ms.clamp(1, MAX_WINDOW_MS)),
        }
    }

    fn capacity(&self) -> i128 {
        self.limit * self.window
    }

    fn time(&self, time: Timestamp) -> i128 {
        i128::from(time.as_millis()) * self.limit
    }

    /// Returns when the bucket is full again. If the limit was changed, a fraction of a millisecond
    /// is converted and rounded up, which errs on the side of refusing.
    fn full_at(&self, usage: &Usage) -> Option<i128> {
        match usage {
            Usage::Bucket { full, part, of } => {
                let part = i128::from(*part) * self.limit;
                Some(self.time(*full) + round_up(part, i128::from((*of).max(1))))
            }
            _ => None,
        }
    }

    /// Returns how much is missing until it is full.
    fn missing(&self, usage: &Usage, now: Timestamp) -> i128 {
        self.full_at(usage)
            .map_or(0, |full| (full - self.time(now)).max(0))
    }

    fn emptied(&self, usage: &Usage, cost: u64, now: Timestamp) -> Usage {
        let from = self.time(now) + self.missing(usage, now);
        self.usage(from + i128::from(cost) * self.window)
    }

    /// Whether the bucket was full for a while since `at` is not known. So what has flowed in since
    /// then is not given back.
    fn refunded(&self, usage: &Usage, cost: u64, at: Timestamp, now: Timestamp) -> Usage {
        let Some(full) = self.full_at(usage) else {
            return usage.clone();
        };
        let flowed_in = (self.time(now) - self.time(at)).max(0);
        let back = (i128::from(cost) * self.window - flowed_in).max(0);
        self.usage(full - back)
    }

    fn usage(&self, full: i128) -> Usage {
        Usage::Bucket {
            full: Timestamp::from_millis(
                i64::try_from(full.div_euclid(self.limit)).unwrap_or(i64::MAX),
            ),
            part: u64::try_from(full.rem_euclid(self.limit)).unwrap_or(0),
            of: u64::try_from(self.limit).unwrap_or(u64::MAX),
        }
    }
}
