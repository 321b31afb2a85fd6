//! What a key has used, and the arithmetic of the four algorithms on it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::policy::{Algorithm, MAX_LIMIT, MAX_WINDOW_MS, Policy};
use crate::Timestamp;
use crate::objects::millis::millis;

/// The parts of a window that a sliding window counts apart.
const SLICES: u64 = 16;

/// What a key has used: what [`Policy::take`] keeps between one decision and the next.
///
/// It is small: one time and one count, or one time, or (a sliding window) at most 17 counts with
/// their times, or (a sliding log) at most as many as its limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Usage {
    /// Nothing.
    #[default]
    None,
    /// In a fixed window.
    Window {
        /// The first moment after the window.
        ends: Timestamp,
        /// How much was used in it.
        used: u64,
    },
    /// At these times, in their order, so much; each counts until a window after its time.
    Log(Vec<(Timestamp, u64)>),
    /// A bucket that is full again at a time: `full` and `part / of` milliseconds.
    Bucket {
        /// Whole milliseconds.
        full: Timestamp,
        /// Parts of a millisecond …
        part: u64,
        /// … of which there are so many.
        of: u64,
    },
}

impl Usage {
    /// From when on this is as good as [`Usage::None`], and may be forgotten; `None` if it is now.
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

    /// How much is left.
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

    /// In how many milliseconds `amount` is left, if none is used meanwhile.
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

    /// The usage after `cost` more.
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

    fn open_window(&self, now: Timestamp) -> Option<(Timestamp, u64)> {
        match self {
            Self::Window { ends, used } if now < *ends => Some((*ends, *used)),
            _ => None,
        }
    }

    /// What still counts of a log.
    fn counted(&self, policy: &Policy, now: Timestamp) -> &[(Timestamp, u64)] {
        let Self::Log(entries) = self else { return &[] };
        let first = entries.partition_point(|(time, _)| *time + policy.window() <= now);
        &entries[first..]
    }

    /// What falls into one slice of time counts as of the last of it: never too short.
    fn logged(&self, policy: &Policy, slice_ms: u64, cost: u64, now: Timestamp) -> Self {
        let mut entries = self.counted(policy, now).to_vec();
        let slice_ms = i64::try_from(slice_ms).unwrap_or(i64::MAX).max(1);
        let slice = |time: Timestamp| time.as_millis().div_euclid(slice_ms);
        match entries.last_mut() {
            // Or later: a clock that went back counts on from where it was.
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

/// The generic cell rate algorithm in whole numbers: time is counted in parts of a millisecond, of
/// which there are as many as the limit, so that one token is exactly `window` of them.
struct Bucket {
    limit: i128,
    window: i128,
}

impl Bucket {
    fn of(policy: &Policy) -> Self {
        Self {
            // Beyond their ranges, which are not checked here, the products would overflow.
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

    /// When the bucket is full again. Under another limit than before, the bucket is as full as it
    /// was: a part of a millisecond is converted, and rounded to the side of refusing.
    fn full_at(&self, usage: &Usage) -> Option<i128> {
        match usage {
            Usage::Bucket { full, part, of } => {
                let part = i128::from(*part) * self.limit;
                Some(self.time(*full) + round_up(part, i128::from((*of).max(1))))
            }
            _ => None,
        }
    }

    /// What has to flow in until it is full.
    fn missing(&self, usage: &Usage, now: Timestamp) -> i128 {
        self.full_at(usage)
            .map_or(0, |full| (full - self.time(now)).max(0))
    }

    fn emptied(&self, usage: &Usage, cost: u64, now: Timestamp) -> Usage {
        let from = self.time(now) + self.missing(usage, now);
        let full = from + i128::from(cost) * self.window;
        Usage::Bucket {
            full: Timestamp::from_millis(
                i64::try_from(full.div_euclid(self.limit)).unwrap_or(i64::MAX),
            ),
            part: u64::try_from(full.rem_euclid(self.limit)).unwrap_or(0),
            of: u64::try_from(self.limit).unwrap_or(u64::MAX),
        }
    }
}
