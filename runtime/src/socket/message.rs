//! What comes over a socket and goes, and how it ends.

use serde::{Deserialize, Serialize};

use crate::error::{Error, ObjectError};

/// What came over a socket, or goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Text in UTF-8.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
}

impl Message {
    /// The bytes of its content.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }
}

/// How a socket closed; take it in a `#[close]` handler.
///
/// The runtime answers the peer's Close with the same code and reason when the handler is done. A
/// handler that wants another answer calls [`Socket::close`](crate::Socket::close).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseEvent {
    /// The code of RFC 6455, section 7.4; 1005 if the peer sent none, 1006 if the connection broke.
    pub code: u16,
    /// The peer's reason, up to 123 bytes.
    pub reason: String,
    /// Whether the closing handshake was completed.
    pub clean: bool,
}

/// A socket operation that was refused or failed, and what an `#[error]` handler gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct SocketError {
    message: String,
}

impl SocketError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
        }
    }
}

/// Whether an endpoint may send this code in a Close (P61).
pub(crate) fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

impl ObjectError for SocketError {
    fn status(&self) -> u16 {
        500
    }
    fn code(&self) -> std::borrow::Cow<'_, str> {
        "socket".into()
    }
}

impl From<SocketError> for Error {
    fn from(error: SocketError) -> Self {
        Error::new(500, "socket", error.message)
    }
}
