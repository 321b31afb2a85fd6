//! What an administrator may set for a room.

use std::ops::RangeInclusive;
use std::time::Duration;

use anchorhold::Error;
use serde::{Deserialize, Serialize};

use super::retention::Retention;
use crate::objects::range::in_range;

const DAY_MILLIS: u64 = 24 * 60 * 60 * 1_000;

/// The settings of a room. What is left out has its default; see
/// [`ChatRoom::configure`](crate::objects::chat_room::ChatRoomStub::configure).
///
/// ```
/// use anchorhold::objects::chat_room::Settings;
///
/// let strict = Settings { rate_limit: 5, rate_window_ms: 10_000, ..Settings::default() };
/// strict.check().unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How many messages the history keeps, the newest: 1 to 100,000; 1,000 unless set.
    pub history_messages: u64,
    /// How old a kept message may be, in milliseconds: a second to a hundred years, or `null` for no
    /// end; 30 days unless set.
    pub history_age_ms: Option<u64>,
    /// How many members the room has at once: 1 to 30,000; 2,000 unless set.
    pub max_members: u64,
    /// How many sockets the room has at once: 1 to 30,000; 4,000 unless set. The platform's own limit
    /// is 32,768.
    pub max_sockets: u64,
    /// How many sockets one user has at once: 1 to 30,000; 250 unless set.
    pub max_sockets_per_user: u64,
    /// How many messages one user may post in `rate_window_ms`, all at once if the user was silent
    /// before (a token bucket): 1 to 1,000,000; 10,000 unless set. Generous, because a fast client is
    /// not a hostile one; set it lower where strangers post.
    pub rate_limit: u64,
    /// The window of `rate_limit`, in milliseconds: a second to a day; 100 seconds unless set.
    pub rate_window_ms: u64,
    /// How often a user's typing is shown, in milliseconds: 0 to a minute; once in 1,000 unless set.
    pub typing_interval_ms: u64,
    /// How long a socket that has pinged may be silent before it is closed, in milliseconds: a second
    /// to a day; 120,000 unless set.
    pub silence_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            history_messages: 1_000,
            history_age_ms: Some(30 * DAY_MILLIS),
            max_members: 2_000,
            max_sockets: 4_000,
            max_sockets_per_user: 250,
            rate_limit: 10_000,
            rate_window_ms: 100_000,
            typing_interval_ms: 1_000,
            silence_ms: 120_000,
        }
    }
}

const SOCKETS: RangeInclusive<u64> = 1..=30_000;

impl Settings {
    /// Whether every value is within its range.
    ///
    /// # Errors
    /// 400, code `bad_settings`; the message names the value and its range.
    pub fn check(&self) -> Result<(), Error> {
        let age = self.history_age_ms.unwrap_or(DAY_MILLIS);
        for (name, value, range) in [
            ("history_messages", self.history_messages, 1..=100_000),
            ("history_age_ms", age, 1_000..=36_525 * DAY_MILLIS),
            ("max_members", self.max_members, SOCKETS),
            ("max_sockets", self.max_sockets, SOCKETS),
            ("max_sockets_per_user", self.max_sockets_per_user, SOCKETS),
            ("rate_limit", self.rate_limit, 1..=1_000_000),
            ("rate_window_ms", self.rate_window_ms, 1_000..=DAY_MILLIS),
            ("typing_interval_ms", self.typing_interval_ms, 0..=60_000),
            ("silence_ms", self.silence_ms, 1_000..=DAY_MILLIS),
        ] {
            in_range(name, value, range)
                .map_err(|message| Error::bad_request("bad_settings", message))?;
        }
        Ok(())
    }

    /// How much of the history is kept.
    #[must_use]
    pub fn retention(&self) -> Retention {
        Retention {
            messages: self.history_messages,
            age: self.history_age_ms.map(Duration::from_millis),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_within_their_ranges() {
        Settings::default().check().unwrap();
        let read: Settings = serde_json::from_str("{}").unwrap();
        assert_eq!(read, Settings::default());
    }

    #[test]
    fn a_value_out_of_range_is_named() {
        let settings = Settings {
            rate_limit: 0,
            ..Settings::default()
        };
        let error = settings.check().unwrap_err();
        assert_eq!(
            error.message(),
            "`rate_limit` is 0, and not from 1 to 1000000"
        );
        for json in [r#"{"history": 5}"#, r#"{"rate_limit": -1}"#] {
            serde_json::from_str::<Settings>(json).unwrap_err();
        }
        let forever: Settings = serde_json::from_str(r#"{"history_age_ms": null}"#).unwrap();
        assert_eq!(forever.history_age_ms, None);
    }
}
