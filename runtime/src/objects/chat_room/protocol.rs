//! The messages on a room's sockets and routes.

use anchorhold::Timestamp;
use serde::{Deserialize, Serialize};

/// A message of the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The identifier: 1 for the room's first message, and one more for each that follows.
    pub id: u64,
    /// The user who posted it.
    pub user: String,
    /// The text, 1 to 4,096 characters. It is untrusted: escape it where it is displayed.
    pub text: String,
    /// The time at which it was stored.
    pub at: Timestamp,
    /// The client's own identifier of the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
}

/// A part of the history.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Oldest first.
    pub messages: Vec<Message>,
    /// `true` if older messages are retained.
    pub more: bool,
}

/// A client's message over its socket, as JSON. Unknown fields are refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ClientMessage {
    /// A message to all members, which is stored in the history.
    Post {
        /// 1 to 4,096 characters.
        text: String,
        /// Makes retries idempotent: a message that this user has posted with it is stored once.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client_id: Option<String>,
    },
    /// A message to one connected user. It is not stored.
    Direct {
        /// The user.
        to: String,
        /// 1 to 4,096 characters.
        text: String,
        /// Returned in the event, so that the sender recognises its own message.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client_id: Option<String>,
    },
    /// The user is typing.
    // Braces, because for a variant without them serde accepts any fields.
    Typing {},
}

/// An event that the room sends over a socket, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The first event of a socket.
    Welcome(Welcome),
    /// A message was stored. It is sent to every socket; to the sender's socket it is the
    /// acknowledgement. After a retry it is sent only to the sender's socket.
    Message(Message),
    /// A message to one user. It is sent to the sockets of both.
    Direct {
        /// The sender.
        user: String,
        /// The recipient.
        to: String,
        /// As in a [`Message`].
        text: String,
        /// When it was sent.
        at: Timestamp,
        /// The client's own identifier of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client_id: Option<String>,
    },
    /// A user's first socket was opened.
    Joined {
        /// The user.
        user: String,
    },
    /// A user's last socket was closed.
    Left {
        /// The user.
        user: String,
    },
    /// A user is typing. It is sent to all sockets except the one it came from.
    Typing {
        /// The user.
        user: String,
    },
    /// A message of this socket was refused. The socket stays open.
    Error {
        /// A code for programs: `bad_message`, `bad_text`, `limited`, `read_only`, ….
        code: String,
        /// A text for humans.
        message: String,
        /// With code `limited`, the time after which a retry is useful.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
        /// The `client_id` of the message that was refused, if it had one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client_id: Option<String>,
    },
}

/// The first event of a socket: the state of the room. Later events follow on the socket, each
/// exactly once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The user that the room has assigned to the socket.
    pub user: String,
    /// Whether that user may post.
    pub role: Role,
    /// The connected users, including this one, in the order of their names.
    pub members: Vec<String>,
    /// The newest messages up to now, oldest first. With `since`, those after it.
    pub history: Vec<Message>,
    /// `true` if older ones (after `since`) are retained. Read them from `/history`.
    pub more: bool,
    /// With `since`: `true` if messages after it are no longer retained, or if the room never had
    /// that identifier. The client's messages then do not connect to `history`, even with all that
    /// is retained.
    pub gap: bool,
    /// The identifier of the room's newest message, retained or not; 0 before the first.
    pub newest: u64,
}

/// The permissions of a member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// May read and post.
    #[default]
    Writer,
    /// May only read.
    Reader,
}

/// An administrator's decision about a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The user.
    pub user: String,
    /// The restriction.
    pub restriction: Restriction,
    /// The end of the restriction, or `None` if it lasts until it is lifted.
    pub until: Option<Timestamp>,
    /// The administrator's reason, which is shown to the user.
    pub reason: String,
}

/// A restriction of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Restriction {
    /// The user cannot connect or post.
    Banned,
    /// The user cannot post.
    Muted,
}
