//! Which messages are retained, and when the next one expires.

use std::time::Duration;

use anchorhold::Timestamp;

/// How many identifiers back a retry is recognised, if the history is shorter. A client that was
/// offline retries what was not acknowledged, and in a busy room more messages than its history may
/// have followed.
const MIN_REMEMBERED: u64 = 10_000;
/// The longest pause between sweeps. The shortest is a tenth of the age.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// How much of the history is retained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// The number of newest messages that are retained.
    pub messages: u64,
    /// The maximum age, or `None` without a limit.
    pub age: Option<Duration>,
}

impl Retention {
    /// Returns the smallest identifier that is retained by count.
    #[must_use]
    pub fn first_kept(&self, newest: u64) -> u64 {
        newest.saturating_sub(self.messages) + 1
    }

    /// Returns the smallest identifier whose `client_id` is remembered by count.
    #[must_use]
    pub fn first_remembered(&self, newest: u64) -> u64 {
        newest.saturating_sub(self.messages.max(MIN_REMEMBERED)) + 1
    }

    /// Returns the time up to which messages are expired, inclusive.
    #[must_use]
    pub fn expired_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.age.map(|age| now - age)
    }

    /// Returns when to sweep next if the oldest message is of time `oldest`. Returns `None` without
    /// a maximum age.
    ///
    /// The sweep is later than the expiry, so that a busy room does not sweep for each message.
    /// Readers do not see expired messages that have not been swept.
    #[must_use]
    pub fn next_sweep(&self, oldest: Timestamp) -> Option<Timestamp> {
        let age = self.age?;
        Some(oldest + age + pause(age))
    }
}

fn pause(age: Duration) -> Duration {
    (age / 10).clamp(Duration::from_millis(1), LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn retention() -> impl Strategy<Value = Retention> {
        let age = prop::option::of((1_000_u64..10_000_000_000).prop_map(Duration::from_millis));
        (1_u64..100_000, age).prop_map(|(messages, age)| Retention { messages, age })
    }

    proptest! {
        #[test]
        fn as_many_are_kept_as_said_and_no_fewer_remembered(
            retention in retention(),
            newest in 0_u64..1_000_000,
        ) {
            let first = retention.first_kept(newest);
            prop_assert_eq!(newest + 1 - first, newest.min(retention.messages));
            prop_assert!(retention.first_remembered(newest) <= first);
            prop_assert!(first >= 1);
        }

        #[test]
        fn a_sweep_finds_what_it_was_set_for_and_the_next_is_later(
            retention in retention(),
            oldest in 0_i64..10_000_000_000_000,
            younger in 0_u64..10_000_000,
        ) {
            let oldest = Timestamp::from_millis(oldest);
            match (retention.next_sweep(oldest), retention.age) {
                (Some(sweep), Some(age)) => {
                    let expired = retention.expired_at(sweep).unwrap();
                    prop_assert!(oldest <= expired);
                    prop_assert!(sweep - oldest <= age + LONGEST_PAUSE);
                    // The next sweep is later, whatever this one leaves.
                    let left = expired + Duration::from_millis(1 + younger);
                    prop_assert!(retention.next_sweep(left).unwrap() > sweep);
                }
                (None, None) => {}
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }
}
