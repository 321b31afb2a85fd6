//! The settings of a room.

use std::ops::RangeInclusive;
use std::time::Duration;

use anchorhold::Error;
use serde::{Deserialize, Serialize};

use super::retention::Retention;
use crate::objects::range::in_range;

const DAY_MILLIS: u64 = 24 * 60 * 60 * 1_000;

/// The settings of a room. An omitted one gets its default; see
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
    /// The number of newest messages in the history: 1 to 100,000; 1,000 by default.
    pub history_messages: u64,
    /// The maximum age of a message in the history, in milliseconds: a second to a hundred years,
    /// or `null` for no limit; 30 days by default.
    pub history_age_ms: Option<u64>,
    /// The maximum number of members at a time: 1 to 30,000; 2,000 by default.
    pub max_members: u64,
    /// The maximum number of sockets at a time: 1 to 30,000; 4,000 by default. The platform's own
    /// limit is 32,768.
    pub max_sockets: u64,
    /// The maximum number of sockets of one user at a time: 1 to 30,000; 250 by default.
    pub max_sockets_per_user: u64,
    /// The number of messages that one user may post in `rate_window_ms`, all at once if the user
    /// was silent before (a token bucket): 1 to 1,000,000; 20 by default.
    pub rate_limit: u64,
    /// The window of `rate_limit`, in milliseconds: a second to a day; 10 seconds by default.
    pub rate_window_ms: u64,
    /// The interval at which a user's typing is announced, in milliseconds: 0 to a minute; 1,000 by
    /// default.
    pub typing_interval_ms: u64,
    /// The time after which a socket that has sent pings and became silent is closed, in
    /// milliseconds: a second to a day; 120,000 by default.
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
            rate_limit: 20,
            rate_window_ms: 10_000,
            typing_interval_ms: 1_000,
            silence_ms: 120_000,
        }
    }
}

const SOCKETS: RangeInclusive<u64> = 1..=30_000;

impl Settings {
    /// Checks the range of every value.
    ///
    /// # Errors
    /// 400, code `bad_settings`. The message names the value and its range.
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

    /// Returns how much of the history is retained.
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
        assert_eq!(error.message(), "`rate_limit` is 0; must be 1 to 1000000");
        for json in [r#"{"history": 5}"#, r#"{"rate_limit": -1}"#] {
            serde_json::from_str::<Settings>(json).unwrap_err();
        }
        let forever: Settings = serde_json::from_str(r#"{"history_age_ms": null}"#).unwrap();
        assert_eq!(forever.history_age_ms, None);
    }
}
