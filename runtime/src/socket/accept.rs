//! How a route accepts a socket.

use serde::Serialize;

use super::message::{Message, SocketError};
use crate::codec::message_pack;
use crate::error::fault::Fault;
use crate::http::token::is_token;
use crate::limits::{MAX_ATTACHMENT, MAX_TAG, MAX_TAGS};

/// The return value of a `#[websocket]` route that accepts the upgrade. The session is stored with
/// the socket, may have up to 16,320 bytes, and survives the object's eviction.
///
/// ```
/// # use anchorhold::prelude::*;
/// # use serde::{Deserialize, Serialize};
/// #[derive(Serialize, Deserialize)]
/// struct Session {
///     user: String,
/// }
///
/// fn connect(user: String) -> Accept<Session> {
///     let tag = format!("user:{user}");
///     Accept::new(Session { user }).tag(tag)
/// }
/// ```
#[derive(Debug)]
pub struct Accept<S> {
    session: S,
    tags: Vec<String>,
    protocols: Vec<String>,
    greetings: Vec<Result<Message, String>>,
}

impl<S> Accept<S> {
    /// Accepts the socket with this session.
    pub fn new(session: S) -> Self {
        Self {
            session,
            tags: Vec::new(),
            protocols: Vec::new(),
            greetings: Vec::new(),
        }
    }

    /// Adds a tag, by which the socket can be found. A socket may have up to 10 tags of up to 256
    /// bytes each.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Sets the subprotocols that the route speaks, the preferred one first. The first of them that
    /// the client offers (in JavaScript `new WebSocket(url, ["graphql-transport-ws"])`) is the
    /// socket's. If the client offers none of them, the socket has none, and a browser that offered
    /// others closes it.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// fn connect() -> Accept<()> {
    ///     Accept::new(()).protocols(["graphql-transport-ws"])
    /// }
    /// ```
    #[must_use]
    pub fn protocols(mut self, protocols: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.protocols.extend(protocols.into_iter().map(Into::into));
        self
    }

    /// Sends a value as JSON as soon as the socket is open, before any other message.
    #[must_use]
    pub fn greet<M: Serialize + ?Sized>(mut self, message: &M) -> Self {
        self.greetings.push(
            serde_json::to_string(message)
                .map(Message::Text)
                .map_err(|error| error.to_string()),
        );
        self
    }
}

impl<S: Serialize> Accept<S> {
    pub(crate) fn into_accepted(self) -> Result<Accepted, Fault> {
        if self.tags.len() > MAX_TAGS {
            return Err(Fault::BadRequest(format!(
                "{} tags are over the limit of {MAX_TAGS} of one socket",
                self.tags.len()
            )));
        }
        if let Some(tag) = self.tags.iter().find(|tag| tag.len() > MAX_TAG) {
            return Err(Fault::BadRequest(format!(
                "a tag of {} bytes is over the limit of {MAX_TAG}",
                tag.len()
            )));
        }
        if let Some(protocol) = self.protocols.iter().find(|name| !is_token(name)) {
            return Err(Fault::Configuration(format!(
                "`{}` is not the name of a subprotocol: use letters, digits, `-` and `.`",
                protocol.escape_debug()
            )));
        }
        let attachment =
            encode_session(&self.session).map_err(|error| Fault::BadRequest(error.to_string()))?;
        let greetings = self
            .greetings
            .into_iter()
            .collect::<Result<_, _>>()
            .map_err(|error| {
                Fault::Undecodable(format!("a greeting cannot be written as JSON: {error}"))
            })?;
        Ok(Accepted {
            attachment,
            tags: self.tags,
            protocols: self.protocols,
            greetings,
        })
    }
}

pub(super) fn encode_session<S: Serialize>(session: &S) -> Result<Vec<u8>, SocketError> {
    let bytes = message_pack::encode(session)
        .map_err(|error| SocketError::new(format!("the session cannot be encoded: {error}")))?;
    if bytes.len() > MAX_ATTACHMENT {
        return Err(SocketError::new(format!(
            "a session of {} bytes is over the limit of {MAX_ATTACHMENT}; keep the rest in storage",
            bytes.len()
        )));
    }
    Ok(bytes)
}

/// An accepted socket whose session type is erased.
pub struct Accepted {
    pub(crate) attachment: Vec<u8>,
    pub(crate) tags: Vec<String>,
    protocols: Vec<String>,
    pub(crate) greetings: Vec<Message>,
}

impl Accepted {
    /// Chooses a subprotocol of those that the client offers in `Sec-WebSocket-Protocol`.
    pub(crate) fn choose_protocol(&self, offered: &str) -> Option<&str> {
        let is_offered = |name: &str| offered.split(',').any(|offer| offer.trim() == name);
        let mut protocols = self.protocols.iter().map(String::as_str);
        protocols.find(|name| is_offered(name))
    }
}
