//! Hibernatable sockets.

use std::cell::RefCell;

use super::super::js::bindings::{self, State, WebSocket};
use super::super::js::failure::message_of;
use crate::socket::{Message, SocketError};

thread_local! {
    /// Sockets that the running atomic turn has closed. The platform is told at the turn's end.
    static CLOSING: RefCell<Vec<WebSocket>> = const { RefCell::new(Vec::new()) };
}

/// The server's end of one accepted socket.
#[derive(Clone)]
pub(crate) struct Socket {
    socket: WebSocket,
    state: State,
}

/// The client's end. The platform completes the handshake with it.
pub(crate) struct Upgrade(pub(super) WebSocket);

impl Socket {
    pub(in super::super) fn new(socket: WebSocket, state: State) -> Self {
        Self { socket, state }
    }

    pub(crate) fn send_text(&self, text: &str) -> Result<(), SocketError> {
        self.socket
            .send_text(text)
            .map_err(|error| SocketError::new(message_of(&error)))
    }

    pub(crate) fn send_binary(&self, bytes: &[u8]) -> Result<(), SocketError> {
        bindings::send_binary(&self.socket, bytes)
            .map_err(|error| SocketError::new(message_of(&error)))
    }

    pub(crate) fn close(&self, code: u16, reason: &str) -> Result<(), SocketError> {
        self.socket
            .close(code, reason)
            .map_err(|error| SocketError::new(message_of(&error)))
    }

    /// Checks that a message can be sent. It is sent after the running turn has succeeded.
    pub(crate) fn reserve(&self, _bytes: usize) -> Result<(), SocketError> {
        let is_closing = CLOSING.with_borrow(|closing| closing.contains(&self.socket));
        if is_closing || !bindings::is_open(&self.socket).unwrap_or(false) {
            return Err(SocketError::new("the socket is closed"));
        }
        Ok(())
    }

    pub(crate) fn send_reserved(&self, message: Message) {
        // A peer that has left meanwhile does not receive it.
        let _ = match message {
            Message::Text(text) => self.send_text(&text),
            Message::Binary(bytes) => self.send_binary(&bytes),
        };
    }

    #[expect(clippy::unused_self, reason = "the seam's: nothing is counted here")]
    pub(crate) fn cancel_reservation(&self, _bytes: usize) {}

    /// Closes the socket after the running turn has succeeded. From now on nothing more can be
    /// sent. Returns whether the socket owed the peer this close, which the platform does not
    /// reveal.
    pub(crate) fn begin_close(&self) -> Result<bool, SocketError> {
        CLOSING.with_borrow_mut(|closing| {
            if closing.contains(&self.socket) {
                return Err(SocketError::new("the socket is closed"));
            }
            closing.push(self.socket.clone());
            Ok(false)
        })
    }

    pub(crate) fn finish_close(&self, code: u16, reason: &str) {
        self.cancel_close(false);
        // A peer that is gone needs no Close.
        let _ = self.close(code, reason);
    }

    pub(crate) fn cancel_close(&self, _owed: bool) {
        CLOSING.with_borrow_mut(|closing| closing.retain(|socket| *socket != self.socket));
    }

    /// Answers the peer's Close. Does nothing if the object has already closed the socket.
    pub(crate) fn answer_close(&self, code: Option<u16>, reason: &str) {
        // A peer that is gone needs no answer.
        let _ = match code {
            Some(code) => self.socket.close(code, reason),
            None => self.socket.close_without_code(),
        };
    }

    #[expect(
        clippy::unused_self,
        reason = "the seam's: workerd has no `bufferedAmount`"
    )]
    pub(crate) fn buffered(&self) -> Option<usize> {
        None
    }

    pub(crate) fn attachment(&self) -> Option<Vec<u8>> {
        self.socket.attachment().ok().flatten()
    }

    pub(crate) fn set_attachment(&self, attachment: &[u8]) -> Result<(), SocketError> {
        bindings::set_attachment(&self.socket, attachment)
            .map_err(|error| SocketError::new(message_of(&error)))
    }

    pub(crate) fn tags(&self) -> Vec<String> {
        self.state.tags(&self.socket).unwrap_or_default()
    }

    pub(crate) fn last_automatic_response(&self) -> Option<i64> {
        self.state
            .automatic_response_timestamp(&self.socket)
            .map(|date| millis(date.get_time()))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a date is whole milliseconds"
)]
fn millis(time: f64) -> i64 {
    time as i64
}

impl PartialEq for Socket {
    fn eq(&self, other: &Self) -> bool {
        self.socket == other.socket
    }
}
