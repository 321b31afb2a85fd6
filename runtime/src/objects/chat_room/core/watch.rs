//! Detection of dead sockets.

use std::time::Duration;

use anchorhold::Timestamp;

/// The last signs of life of a socket.
#[derive(Clone, Copy, Debug)]
pub struct Sign {
    /// When its last ping was answered, or `None` if it has not sent any.
    pub pinged: Option<Timestamp>,
    /// When it connected, or was last heard from otherwise.
    pub heard: Timestamp,
}

/// The result of a check of the sockets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The positions of the sockets to be closed.
    pub dead: Vec<usize>,
    /// When to check again, or `None` if there is nothing to watch.
    pub next: Option<Timestamp>,
}

/// Finds the dead sockets: those that have sent pings and were then silent for `silence`. The rule
/// does not apply to clients that never ping. Whether a new client does is known only after
/// `silence` has passed.
///
/// The next check is at least a quarter of `silence` away, so that many sockets share it. A dead
/// socket is closed at most 1.25 times `silence` after its last sign.
#[must_use]
pub fn watch(signs: &[Sign], now: Timestamp, silence: Duration) -> Verdict {
    let mut dead = Vec::new();
    let mut next: Option<Timestamp> = None;
    for (position, sign) in signs.iter().enumerate() {
        let last = sign
            .pinged
            .map_or(sign.heard, |pinged| pinged.max(sign.heard));
        let due = last + silence;
        if due > now {
            next = Some(next.map_or(due, |next| next.min(due)));
        } else if sign.pinged.is_some() {
            dead.push(position);
        }
    }
    Verdict {
        dead,
        next: next.map(|next| next.max(now + silence / 4)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SILENCE: Duration = Duration::from_mins(2);

    fn sign() -> impl Strategy<Value = Sign> {
        let time = || (0_i64..1_000_000).prop_map(Timestamp::from_millis);
        (prop::option::of(time()), time()).prop_map(|(pinged, heard)| Sign { pinged, heard })
    }

    proptest! {
        #[test]
        fn the_dead_have_pinged_and_been_silent(signs in prop::collection::vec(sign(), 0..20)) {
            let now = Timestamp::from_millis(1_000_000);
            let verdict = watch(&signs, now, SILENCE);
            for (position, sign) in signs.iter().enumerate() {
                let silent = now - sign.heard >= SILENCE
                    && sign.pinged.is_some_and(|pinged| now - pinged >= SILENCE);
                prop_assert_eq!(verdict.dead.contains(&position), silent);
            }
        }

        #[test]
        fn watching_ends_without_pings(heard in prop::collection::vec(0_i64..1_000_000, 0..20)) {
            let signs: Vec<_> = heard
                .iter()
                .map(|heard| Sign { pinged: None, heard: Timestamp::from_millis(*heard) })
                .collect();
            let later = Timestamp::from_millis(1_000_000) + SILENCE;
            prop_assert_eq!(watch(&signs, later, SILENCE), Verdict { dead: vec![], next: None });
        }

        #[test]
        fn a_socket_that_falls_silent_is_closed_in_time(
            signs in prop::collection::vec(sign(), 1..20),
            start in 0_i64..1_000_000,
        ) {
            // From check to check, without further signs of life.
            let mut now = Timestamp::from_millis(start);
            let mut signs = signs;
            for sign in &mut signs {
                sign.heard = sign.heard.min(now);
                sign.pinged = sign.pinged.map(|pinged| pinged.min(now));
            }
            for _ in 0..100 {
                let verdict = watch(&signs, now, SILENCE);
                for position in verdict.dead.iter().rev() {
                    signs.remove(*position);
                }
                let Some(next) = verdict.next else { break };
                prop_assert!(next > now);
                now = next;
                for sign in signs.iter().filter(|sign| sign.pinged.is_some()) {
                    let last = sign.heard.max(sign.pinged.unwrap());
                    prop_assert!(now - last <= SILENCE + SILENCE / 4);
                }
            }
            prop_assert!(signs.iter().all(|sign| sign.pinged.is_none()));
        }
    }
}
