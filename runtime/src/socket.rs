//! WebSockets that survive the object's eviction.

mod accept;
mod message;

pub use accept::Accept;
pub(crate) use accept::Accepted;
pub(crate) use message::may_be_sent;
pub use message::{CloseEvent, Message, SocketError};

use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use accept::encode_session;

use crate::codec::message_pack;
use crate::limits::{MAX_AUTOMATIC_RESPONSE, MAX_CLOSE_REASON};
use crate::platform::{self, ObjectState};
use crate::time::Timestamp;
use crate::turn::effects;

/// A connected socket with its session.
pub struct Socket<S> {
    inner: platform::Socket,
    session: PhantomData<fn() -> S>,
}

impl<S> Socket<S> {
    pub(crate) fn new(inner: platform::Socket) -> Self {
        Self {
            inner,
            session: PhantomData,
        }
    }

    /// Sends a value as JSON. The message leaves when the writes before it are durable. In an
    /// atomic turn (`fn`) the turn must also have succeeded: a turn that fails sends nothing.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// fn greet(socket: &Socket<String>) -> Result<(), SocketError> {
    ///     let user = socket.session()?;
    ///     socket.send(&serde_json::json!({ "hello": user }))
    /// }
    /// ```
    ///
    /// # Errors
    /// The socket is closed, or the value cannot be written as JSON. On the embedded host also if
    /// more than 16 MiB wait for the peer, or 128 MiB for all peers of the thread together.
    pub fn send<M: Serialize + ?Sized>(&self, message: &M) -> Result<(), SocketError> {
        self.send_text(&to_json(message)?)
    }

    /// Sends text.
    ///
    /// # Errors
    /// The socket is closed, or too many bytes wait for the peer; see [`send`](Self::send).
    pub fn send_text(&self, text: &str) -> Result<(), SocketError> {
        if !effects::are_held() {
            return self.inner.send_text(text);
        }
        self.send_if_kept(Message::Text(text.to_owned()))
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// The socket is closed, or too many bytes wait for the peer; see [`send`](Self::send).
    pub fn send_bytes(&self, bytes: &[u8]) -> Result<(), SocketError> {
        if !effects::are_held() {
            return self.inner.send_binary(bytes);
        }
        self.send_if_kept(Message::Binary(bytes.to_vec()))
    }

    fn send_if_kept(&self, message: Message) -> Result<(), SocketError> {
        let bytes = message.size();
        self.inner.reserve(bytes)?;
        let (socket, same) = (self.inner.clone(), self.inner.clone());
        effects::hold(
            move || socket.send_reserved(message),
            move || same.cancel_reservation(bytes),
        );
        Ok(())
    }

    /// Closes the socket. Messages sent before still arrive.
    ///
    /// # Errors
    /// A code outside 1000, 1001, 1003, 1007 to 1014 and 3000 to 4999, or a reason over 123 bytes.
    pub fn close(&self, code: u16, reason: &str) -> Result<(), SocketError> {
        if !may_be_sent(code) {
            return Err(SocketError::new(format!(
                "{code} is not a code that an endpoint may send"
            )));
        }
        if reason.len() > MAX_CLOSE_REASON {
            return Err(SocketError::new(format!(
                "a close reason of {} bytes is over the limit of {MAX_CLOSE_REASON}",
                reason.len()
            )));
        }
        if !effects::are_held() {
            return self.inner.close(code, reason);
        }
        let begun = self.inner.begin_close()?;
        let (socket, same, reason) = (self.inner.clone(), self.inner.clone(), reason.to_owned());
        effects::hold(
            move || socket.finish_close(code, &reason),
            move || same.cancel_close(begun),
        );
        Ok(())
    }

    /// Returns how many bytes of messages were sent here and not yet accepted by the peer's
    /// connection. The connection's own buffers are not counted. Use it for backpressure.
    ///
    /// Returns `None` where the platform does not report it: workerd does not expose the queue of a
    /// hibernatable socket. There the peer must report how far it has read, by messages.
    #[must_use]
    pub fn buffered(&self) -> Option<usize> {
        self.inner.buffered()
    }

    /// Returns the tags that the socket was accepted with.
    #[must_use]
    pub fn tags(&self) -> Vec<String> {
        self.inner.tags()
    }

    /// Returns the time of the last [automatic response](Sockets::set_automatic_response) to this
    /// socket, or `None` if there was none. Automatic responses do not wake the object: with this
    /// time it can find the peers that are still alive.
    #[must_use]
    pub fn last_automatic_response(&self) -> Option<Timestamp> {
        self.inner
            .last_automatic_response()
            .map(Timestamp::from_millis)
    }
}

impl<S: DeserializeOwned> Socket<S> {
    /// Returns the session.
    ///
    /// # Errors
    /// The session was written by a version with another type.
    pub fn session(&self) -> Result<S, SocketError> {
        let bytes = self
            .inner
            .attachment()
            .ok_or_else(|| SocketError::new("the socket has no session"))?;
        message_pack::decode(&bytes)
            .map_err(|error| SocketError::new(format!("the session cannot be read: {error}")))
    }
}

impl<S: Serialize> Socket<S> {
    /// Replaces the session.
    ///
    /// # Errors
    /// The session is over 16,320 bytes.
    pub fn set_session(&self, session: &S) -> Result<(), SocketError> {
        let session = encode_session(session)?;
        let before = effects::are_held()
            .then(|| self.inner.attachment())
            .flatten();
        self.inner.set_attachment(&session)?;
        if let Some(before) = before {
            let socket = self.inner.clone();
            effects::if_taken_back(move || {
                if let Err(error) = socket.set_attachment(&before) {
                    tracing::warn!(%error, "a session could not be restored");
                }
            });
        }
        Ok(())
    }
}

impl<S> Clone for Socket<S> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone())
    }
}

impl<S> PartialEq for Socket<S> {
    /// Returns `true` if both are the same connection.
    fn eq(&self, other: &Self) -> bool {
        self.inner == other.inner
    }
}

impl<S> fmt::Debug for Socket<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Socket")
    }
}

fn to_json<M: Serialize + ?Sized>(message: &M) -> Result<String, SocketError> {
    serde_json::to_string(message).map_err(|error| {
        SocketError::new(format!("the message cannot be written as JSON: {error}"))
    })
}

/// The sockets of one object, up to 32,768. They survive the object's eviction.
pub struct Sockets<S> {
    state: ObjectState,
    session: PhantomData<fn() -> S>,
}

impl<S> Sockets<S> {
    pub(crate) fn new(state: ObjectState) -> Self {
        Self {
            state,
            session: PhantomData,
        }
    }

    /// Returns all open sockets, oldest first.
    #[must_use]
    pub fn all(&self) -> Vec<Socket<S>> {
        self.state
            .sockets(None)
            .into_iter()
            .map(Socket::new)
            .collect()
    }

    /// Returns the open sockets with a tag, oldest first.
    #[must_use]
    pub fn tagged(&self, tag: &str) -> Vec<Socket<S>> {
        self.state
            .sockets(Some(tag))
            .into_iter()
            .map(Socket::new)
            .collect()
    }

    /// Returns the number of open sockets.
    #[must_use]
    pub fn len(&self) -> usize {
        self.state.sockets(None).len()
    }

    /// Returns `true` if no socket is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sends a value as JSON to every socket. Returns how many accepted it: a closing socket does
    /// not.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// fn announce(ctx: &Ctx, news: &str) -> Result<usize, SocketError> {
    ///     ctx.sockets::<String>().broadcast(&serde_json::json!({ "news": news }))
    /// }
    /// ```
    ///
    /// # Errors
    /// The value cannot be written as JSON.
    pub fn broadcast<M: Serialize + ?Sized>(&self, message: &M) -> Result<usize, SocketError> {
        Self::send_to(self.all(), message, |_| true)
    }

    /// Sends a value as [`broadcast`](Self::broadcast) does, to all sockets except one.
    ///
    /// # Errors
    /// As [`broadcast`](Self::broadcast).
    pub fn broadcast_except<M: Serialize + ?Sized>(
        &self,
        except: &Socket<S>,
        message: &M,
    ) -> Result<usize, SocketError> {
        Self::send_to(self.all(), message, |socket| socket != except)
    }

    /// Sends a value as [`broadcast`](Self::broadcast) does, to the sockets with a tag.
    ///
    /// # Errors
    /// As [`broadcast`](Self::broadcast).
    pub fn broadcast_tagged<M: Serialize + ?Sized>(
        &self,
        tag: &str,
        message: &M,
    ) -> Result<usize, SocketError> {
        Self::send_to(self.tagged(tag), message, |_| true)
    }

    fn send_to<M: Serialize + ?Sized>(
        sockets: Vec<Socket<S>>,
        message: &M,
        wanted: impl Fn(&Socket<S>) -> bool,
    ) -> Result<usize, SocketError> {
        let text = to_json(message)?;
        Ok(sockets
            .iter()
            .filter(|socket| wanted(socket) && socket.send_text(&text).is_ok())
            .count())
    }

    /// Makes the platform answer one exact text with another without waking the object. `None` ends
    /// it.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// fn keep_alive(ctx: &Ctx) -> Result<(), SocketError> {
    ///     ctx.sockets::<()>().set_automatic_response(Some(("ping", "pong")))
    /// }
    /// ```
    ///
    /// # Errors
    /// A text is over 2,048 bytes.
    pub fn set_automatic_response(&self, pair: Option<(&str, &str)>) -> Result<(), SocketError> {
        if let Some((request, response)) = pair {
            let longest = request.len().max(response.len());
            if longest > MAX_AUTOMATIC_RESPONSE {
                return Err(SocketError::new(format!(
                    "an automatic response of {longest} bytes is over the limit of {MAX_AUTOMATIC_RESPONSE}"
                )));
            }
        }
        if effects::are_held() {
            let (state, before) = (self.state.clone(), self.state.automatic_response());
            effects::if_taken_back(move || {
                let before = before.as_ref();
                state.set_automatic_response(before.map(|(asked, answer)| (&**asked, &**answer)));
            });
        }
        self.state.set_automatic_response(pair);
        Ok(())
    }
}

/// The requirements of a socket's session type.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the session of a socket",
    label = "needs `Serialize` and `Deserialize`",
    note = "the session is kept with the socket while the object is out of memory:\nderive `serde::Serialize` and `serde::Deserialize` for it"
)]
pub trait Session: Serialize + DeserializeOwned + 'static {}

#[diagnostic::do_not_recommend]
impl<S: Serialize + DeserializeOwned + 'static> Session for S {}
