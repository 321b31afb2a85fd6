//! The cache of keys that a limiter has refused, on the caller's side.

use std::collections::BTreeMap;
use std::time::Duration;

use super::core::Decision;
use crate::Timestamp;
use crate::objects::millis::millis;

/// The maximum number of blocked keys that one guard caches.
const MAX_BLOCKED: usize = 1_024;
/// The longest time for which a blocked key is refused without a call.
const MAX_BLOCK: Duration = Duration::from_secs(10);

/// Refusals that are valid until a time. A hash map could be flooded: clients choose the keys, and
/// on wasm the standard hash does not have a random key.
#[derive(Default)]
pub(super) struct Blocked(BTreeMap<(String, String), Block>);

struct Block {
    decision: Decision,
    since: Timestamp,
    until: Timestamp,
    available: Timestamp,
}

impl Blocked {
    pub(super) fn get(&self, name: &(String, String), now: Timestamp) -> Option<Decision> {
        // If the clock is set back, the entry is ignored, so that it does not last longer.
        let block = self
            .0
            .get(name)
            .filter(|block| (block.since..block.until).contains(&now))?;
        let wait = millis(block.available - now);
        Some(Decision {
            reset_ms: wait,
            retry_after_ms: wait,
            ..block.decision
        })
    }

    pub(super) fn put(&mut self, name: (String, String), decision: Decision, now: Timestamp) {
        let available = now + Duration::from_millis(decision.reset_ms);
        let until = available.min(now + MAX_BLOCK);
        if self.0.len() >= MAX_BLOCKED {
            self.0.retain(|_, block| now < block.until);
        }
        // If the cache is full of valid entries, a further key is not cached.
        if self.0.len() < MAX_BLOCKED {
            let block = Block {
                decision,
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
