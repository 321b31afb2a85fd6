//! What goes over a room's sockets and routes.

use anchorhold::Timestamp;
use serde::{Deserialize, Serialize};

/// A message of the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// 1 for the room's first message, and one more for each that follows.
    pub id: u64,
    /// Who posted it.
    pub user: String,
    /// 1 to 4,096 characters. Text from a stranger: escape it where it is shown.
    pub text: String,
    /// When it was stored.
    pub at: Timestamp,
    /// The client's own identifier of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
}

/// A part of the history.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Oldest first.
    pub messages: Vec<Message>,
    /// Whether older ones are kept.
    pub more: bool,
}

/// What a client sends over its socket, as JSON. A field that is not here is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ClientMessage {
    /// To everybody, and into the history.
    Post {
        /// 1 to 4,096 characters.
        text: String,
        /// Makes a resend harmless: what this user has posted under it is stored once.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client_id: Option<String>,
    },
    /// To one user who is here; not kept.
    Direct {
        /// The user.
        to: String,
        /// 1 to 4,096 characters.
        text: String,
        /// Comes back in the event, so that the sender knows its own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client_id: Option<String>,
    },
    /// The user is typing.
    // Braces, because serde takes any fields for a variant without.
    Typing {},
}

/// What the room sends over a socket, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The first that a socket gets.
    Welcome(Welcome),
    /// A message was stored. Goes to every socket, the sender's included, for which it is the
    /// acknowledgement; for a resend it goes to the sender's socket only.
    Message(Message),
    /// A message to one user; goes to the sockets of both.
    Direct {
        /// Who sent it.
        user: String,
        /// Whom it is for.
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
    /// A user is typing; goes to all sockets but the one it came from.
    Typing {
        /// The user.
        user: String,
    },
    /// What this socket sent was refused; the socket stays open.
    Error {
        /// For programs: `bad_message`, `bad_text`, `limited`, `read_only`, ….
        code: String,
        /// For people.
        message: String,
        /// When it is worth trying again, with code `limited`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
        /// Of the message that was refused, if it had one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client_id: Option<String>,
    },
}

/// The first event of a socket: how things stand. What happens after it follows on the socket,
/// without loss and without doubles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// Whom the room takes the socket's user for.
    pub user: String,
    /// Whether that user may post.
    pub role: Role,
    /// Who is here, this user included, in the order of their names.
    pub members: Vec<String>,
    /// The newest messages up to now, oldest first: those after `since`, if the client gave it.
    pub history: Vec<Message>,
    /// Whether older ones (after `since`) are kept: read them from `/history`.
    pub more: bool,
    /// With `since`: whether messages after it are kept no more, or the room has never come so far.
    /// What the client has does not connect to `history` then, even with all that is kept.
    pub gap: bool,
    /// The identifier of the room's newest message, kept or not; 0 before the first.
    pub newest: u64,
}

/// What a member may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Read and post.
    #[default]
    Writer,
    /// Read.
    Reader,
}

/// What an administrator has decided about a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The user.
    pub user: String,
    /// What the user may not do.
    pub restriction: Restriction,
    /// Until when; `None`: until it is lifted.
    pub until: Option<Timestamp>,
    /// Why, as the administrator said; the user is told.
    pub reason: String,
}

/// What a user may not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Restriction {
    /// Connect or post.
    Banned,
    /// Post.
    Muted,
}
