//! Which messages are kept, and when the next leaves.

use std::time::Duration;

use anchorhold::Timestamp;

/// How many identifiers back a resend is recognised, where more messages than that are not kept
/// anyway: a client that was offline resends what it has not seen acknowledged, and a busy room may
/// have moved on by more than its history.
const MIN_REMEMBERED: u64 = 10_000;
/// Sweeps are at least a tenth of the age, and at most this, apart.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// How much of the history is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// The newest messages, so many.
    pub messages: u64,
    /// Not older than this; `None`: as old as they get.
    pub age: Option<Duration>,
}

impl Retention {
    /// The smallest identifier that is kept by count.
    #[must_use]
    pub fn first_kept(&self, newest: u64) -> u64 {
        newest.saturating_sub(self.messages) + 1
    }

    /// The smallest identifier whose `client_id` is remembered by count.
    #[must_use]
    pub fn first_remembered(&self, newest: u64) -> u64 {
        newest.saturating_sub(self.messages.max(MIN_REMEMBERED)) + 1
    }

    /// What is as old as this, or older, is kept no more.
    #[must_use]
    pub fn expired_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.age.map(|age| now - age)
    }

    /// When to sweep next, if the oldest message is of `oldest`; `None` without an end to its age.
    ///
    /// It is a pause later than the message expires, so that a busy room does not sweep for each
    /// message; readers do not see what has expired and is not swept yet.
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
                    // Whatever that sweep leaves lies far enough ahead.
                    let left = expired + Duration::from_millis(1 + younger);
                    prop_assert!(retention.next_sweep(left).unwrap() > sweep);
                }
                (None, None) => {}
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }
}
