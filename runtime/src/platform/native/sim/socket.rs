//! The client's end of a socket in a test.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::super::network::frame::Frame;
use super::pipe::Pipe;
use crate::socket::{CloseEvent, Message};

/// The client's end of a socket in a test. See [`Sim::connect`](super::Sim::connect).
pub struct SimSocket {
    pub(super) pipe: Pipe,
    pub(super) closed: Option<CloseEvent>,
}

impl SimSocket {
    /// Sends text. Messages sent on a closed socket are lost, as on a network.
    pub fn send_text(&self, text: impl Into<String>) {
        self.send(Message::Text(text.into()));
    }

    /// Sends bytes.
    pub fn send_binary(&self, bytes: impl Into<Vec<u8>>) {
        self.send(Message::Binary(bytes.into()));
    }

    /// Sends a value as JSON.
    ///
    /// # Panics
    /// Panics if the value cannot be written as JSON.
    pub fn send_json<T: Serialize + ?Sized>(&self, value: &T) {
        match serde_json::to_string(value) {
            Ok(text) => self.send_text(text),
            Err(error) => panic!("the message cannot be written as JSON: {error}"),
        }
    }

    fn send(&self, message: Message) {
        let _ = self.pipe.outgoing.send(Frame::Message(message));
    }

    /// Waits for the next message. Returns `None` if the socket is closed.
    pub async fn receive(&mut self) -> Option<Message> {
        if self.closed.is_some() {
            return None;
        }
        let event = match self.pipe.receive().await {
            Some(Frame::Message(message)) => return Some(message),
            Some(Frame::Close { code, reason }) => CloseEvent {
                code,
                reason,
                clean: true,
            },
            Some(Frame::GoingAway | Frame::Drop) | None => CloseEvent {
                code: 1006,
                reason: String::new(),
                clean: false,
            },
        };
        self.closed = Some(event);
        None
    }

    /// Waits for the next message and reads it as JSON.
    ///
    /// # Panics
    /// Panics if the socket is closed, if the message is binary, or if it does not fit `T`.
    pub async fn receive_json<T: DeserializeOwned>(&mut self) -> T {
        match self.receive().await {
            Some(Message::Text(text)) => match serde_json::from_str(&text) {
                Ok(value) => value,
                Err(error) => panic!("invalid message {text:?}: {error}"),
            },
            other => panic!(
                "expected a text message, got {other:?}; closed: {:?}",
                self.closed
            ),
        }
    }

    /// Returns how the other side closed, once its Close was [received](Self::receive).
    #[must_use]
    pub fn closed(&self) -> Option<&CloseEvent> {
        self.closed.as_ref()
    }

    /// Closes the socket from the client's side.
    pub fn close(self, code: u16, reason: &str) {
        self.send_close(code, reason);
    }

    /// Closes the socket from the client's side and waits for the answer. Messages that arrive
    /// before the answer are dropped. The code is 1006 if the connection ended without an answer.
    pub async fn close_and_wait(mut self, code: u16, reason: &str) -> CloseEvent {
        self.send_close(code, reason);
        loop {
            if let Some(event) = self.closed.take() {
                return event;
            }
            self.receive().await;
        }
    }

    fn send_close(&self, code: u16, reason: &str) {
        let _ = self.pipe.outgoing.send(Frame::Close {
            code,
            reason: reason.to_owned(),
        });
    }
}
