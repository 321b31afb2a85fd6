//! Which sockets are dead.

use std::time::Duration;

use anchorhold::Timestamp;

/// The signs of life of one socket.
#[derive(Clone, Copy, Debug)]
pub struct Sign {
    /// When its last ping was answered; `None`: it has not pinged.
    pub pinged: Option<Timestamp>,
    /// When it connected, or was last heard otherwise.
    pub heard: Timestamp,
}

/// What is to be done about the sockets that were looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The positions of those to be closed.
    pub dead: Vec<usize>,
    /// When to look again; `None`: there is nothing to watch.
    pub next: Option<Timestamp>,
}

/// The rule: a socket that has pinged and was then silent for `silence` is dead. A client that never
/// pings is not held to it; whether a new one does is not known before `silence` has passed.
///
/// The next look is a quarter of `silence` away at least, so that many sockets share it: a dead
/// socket is closed 1.25 times `silence` after its last sign at the latest.
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
        fn watching_ends_when_nobody_pings(heard in prop::collection::vec(0_i64..1_000_000, 0..20)) {
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
            // From look to look, without another sign of anybody.
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
