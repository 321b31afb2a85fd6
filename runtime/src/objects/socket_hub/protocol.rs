//! The messages on a hub's sockets.

use anchorhold::Error;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A client's message, as JSON text.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// `{"type": "subscribe", "topic": "a"}`: subscribes to the topic from now on.
    Subscribe {
        /// The topic.
        topic: String,
    },
    /// `{"type": "unsubscribe", "topic": "a"}`: ends the subscription.
    Unsubscribe {
        /// The topic.
        topic: String,
    },
    /// `{"type": "publish", "topic": "a", "data": …}`: sends an event to the topic's other
    /// subscribers.
    Publish {
        /// The topic. The client need not be subscribed to it.
        topic: String,
        /// Any JSON; the default is `null`.
        #[serde(default)]
        data: Value,
    },
    /// `{"type": "ack", "seq": 5}`: acknowledges every event up to number 5.
    Ack {
        /// The number.
        seq: u64,
    },
}

impl Command {
    /// Parses a client's message.
    ///
    /// # Errors
    /// 413 `too_large` if it is longer than `limit` bytes, without parsing it. 400 `bad_request` if
    /// it is not a valid message.
    pub fn parse(text: &str, limit: usize) -> Result<Self, Error> {
        check_size("the message", text.len(), limit)?;
        serde_json::from_str(text)
            .map_err(|error| Error::bad_request("bad_request", format!("invalid message: {error}")))
    }
}

/// An event, serialised once for all its subscribers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    text: String,
}

impl Event {
    pub(super) fn new(topic: &str, data: &Value, limit: usize) -> Result<Self, Error> {
        #[derive(Serialize)]
        #[serde(tag = "type", rename = "event")]
        struct Fields<'a> {
            topic: &'a str,
            data: &'a Value,
        }
        let text = serde_json::to_string(&Fields { topic, data }).map_err(|error| {
            Error::internal(format!("the event cannot be written as JSON: {error}"))
        })?;
        check_size("the event of `topic` and `data`", text.len(), limit)?;
        Ok(Self { text })
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Adds the number that the client acknowledges, without serialising the event again.
    pub(super) fn numbered(&self, seq: u64) -> String {
        let fields = self.text.strip_suffix('}').unwrap_or(&self.text);
        format!("{fields},\"seq\":{seq}}}")
    }
}

fn check_size(what: &str, bytes: usize, limit: usize) -> Result<(), Error> {
    if bytes > limit {
        return Err(Error::new(
            413,
            "too_large",
            format!("{what} has {bytes} bytes as JSON, the limit is {limit}; send less at once"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn commands_are_what_the_documentation_says() {
        let topic = || "a".to_owned();
        for (text, command) in [
            (
                r#"{"type": "subscribe", "topic": "a"}"#,
                Command::Subscribe { topic: topic() },
            ),
            (
                r#"{"topic": "a", "type": "unsubscribe"}"#,
                Command::Unsubscribe { topic: topic() },
            ),
            (
                r#"{"type": "publish", "topic": "a", "data": {"x": [1]}}"#,
                Command::Publish {
                    topic: topic(),
                    data: json!({ "x": [1] }),
                },
            ),
            (
                r#"{"type": "publish", "topic": "a"}"#,
                Command::Publish {
                    topic: topic(),
                    data: Value::Null,
                },
            ),
            (r#"{"type": "ack", "seq": 5}"#, Command::Ack { seq: 5 }),
        ] {
            assert_eq!(Command::parse(text, 100).unwrap(), command, "{text}");
        }
    }

    #[test]
    fn what_is_no_command_is_refused_with_the_reason() {
        for (text, reason) in [
            ("", "EOF"),
            ("[]", "invalid message"),
            (r#"{"topic": "a"}"#, "missing field `type`"),
            (r#"{"type": "shout", "topic": "a"}"#, "`shout`"),
            (r#"{"type": "subscribe"}"#, "missing field `topic`"),
            (
                r#"{"type": "subscribe", "topic": "a", "x": 1}"#,
                "unknown field `x`",
            ),
            (r#"{"type": "subscribe", "topic": 5}"#, "expected a string"),
            (r#"{"type": "ack", "seq": -1}"#, "`-1`"),
            (
                &format!(
                    r#"{{"type": "publish", "topic": "a", "data": {}"#,
                    "[".repeat(10_000)
                ),
                "recursion limit",
            ),
        ] {
            let error = Command::parse(text, 100_000).unwrap_err();
            assert_eq!((error.status(), error.code()), (400, "bad_request"));
            assert!(error.message().contains(reason), "{text:.80}: {error}");
        }
        let error = Command::parse(&"[".repeat(10), 9).unwrap_err();
        assert_eq!((error.status(), error.code()), (413, "too_large"));
    }

    proptest! {
        /// The parser never panics, whatever the text.
        #[test]
        fn any_text_is_parsed_or_refused(text: String) {
            let _ = Command::parse(&text, 1_000);
        }

        #[test]
        fn events_are_json(topic: String, text: String, number: i64, seq: u64) {
            let data = json!({ "text": text, "number": number, "nothing": null });
            let event = Event::new(&topic, &data, 1_000_000).unwrap();
            let plain: Value = serde_json::from_str(event.text()).unwrap();
            prop_assert_eq!(&plain, &json!({ "type": "event", "topic": topic, "data": data }));
            let numbered: Value = serde_json::from_str(&event.numbered(seq)).unwrap();
            prop_assert_eq!(
                numbered,
                json!({ "type": "event", "topic": topic, "data": data, "seq": seq })
            );
        }
    }
}
