//! Socket messages and close events.

use serde::{Deserialize, Serialize};

use crate::error::{Error, ObjectError};

/// A message that was received or is to be sent over a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Text in UTF-8.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
}

impl Message {
    /// The size of the content in bytes.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }
}

/// How a socket closed. A `#[close]` handler may take it as an argument.
///
/// When the handler is done, the runtime answers the peer's Close with the same code and reason. To
/// answer with others, call [`Socket::close`](crate::Socket::close) in the handler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseEvent {
    /// The code of RFC 6455, section 7.4. It is 1005 if the peer sent none, and 1006 if the
    /// connection broke.
    pub code: u16,
    /// The peer's reason, up to 123 bytes.
    pub reason: String,
    /// `true` if the closing handshake was completed.
    pub clean: bool,
}

/// A socket operation that was refused or failed. `#[error]` handlers take it as an argument.
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

/// Returns `true` if an endpoint may send this code in a Close (P61).
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
