//! The client's end of sockets.

use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tungstenite::client::IntoClientRequest;
use tungstenite::error::Error;
use tungstenite::handshake::HandshakeError;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Message, WebSocket};

use crate::Client;

/// How long a message may take to arrive.
const PATIENCE: Duration = Duration::from_secs(20);

/// A socket.
pub struct Connection {
    socket: WebSocket<TcpStream>,
}

/// What arrived over a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    Text(String),
    Binary(Vec<u8>),
    /// A Close. The code is 1005 if the Close has none.
    Close {
        code: u16,
        reason: String,
    },
    /// The connection ended without a Close.
    Broken,
}

/// The upgrade was refused.
#[derive(Debug)]
pub struct Refused {
    pub status: u16,
    pub body: String,
}

impl Client {
    /// Opens a socket.
    ///
    /// # Errors
    /// Fails if the app refuses.
    ///
    /// # Panics
    /// Panics if the app cannot be reached.
    pub fn open(
        &self,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Connection, Refused> {
        self.try_open(path, headers)
            .unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Like [`open`](Self::open), for an app that may be killed meanwhile.
    ///
    /// # Errors
    /// Fails if the app cannot be reached, or disconnects during the handshake.
    ///
    /// # Panics
    /// Panics if the path or a header is not well-formed.
    pub fn try_open(
        &self,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Result<Connection, Refused>, String> {
        let url = format!("{}{path}", self.base()).replacen("http://", "ws://", 1);
        let mut request = url.into_client_request().expect("a well-formed address");
        for (name, value) in headers {
            request
                .headers_mut()
                .insert(*name, value.parse().expect("a well-formed header"));
        }
        let address = request
            .uri()
            .authority()
            .expect("an address has a host")
            .to_string();
        let stream = TcpStream::connect(&address)
            .map_err(|error| format!("the app listens not: {error}"))?;
        stream.set_nodelay(true).expect("a connected stream");
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("a connected stream");
        match tungstenite::client(request, stream) {
            Ok((socket, _)) => Ok(Ok(Connection { socket })),
            Err(HandshakeError::Failure(Error::Http(response))) => {
                let body = response.body().as_deref().unwrap_or_default();
                Ok(Err(Refused {
                    status: response.status().as_u16(),
                    body: String::from_utf8_lossy(body).into_owned(),
                }))
            }
            Err(error) => Err(format!("the handshake failed: {error}")),
        }
    }

    /// Opens a socket that must be accepted.
    ///
    /// # Panics
    /// Panics if it is refused.
    #[must_use]
    #[track_caller]
    pub fn connect(&self, path: &str) -> Connection {
        match self.open(path, &[]) {
            Ok(connection) => connection,
            Err(refused) => panic!("{path}: {refused:?}"),
        }
    }
}

impl Connection {
    /// # Panics
    /// Panics if the connection is broken.
    #[track_caller]
    pub fn send(&mut self, message: &impl Serialize) {
        self.send_text(&serde_json::to_string(message).expect("the message has a form in JSON"));
    }

    /// # Panics
    /// Panics if the connection is broken.
    #[track_caller]
    pub fn send_text(&mut self, text: &str) {
        if let Err(error) = self.try_send_text(text) {
            panic!("sending failed: {error}");
        }
    }

    /// # Errors
    /// Fails if the connection is broken.
    pub fn try_send_text(&mut self, text: &str) -> Result<(), String> {
        self.socket
            .send(Message::text(text))
            .map_err(|error| error.to_string())
    }

    /// # Errors
    /// Fails if the connection is broken.
    pub fn try_send_bytes(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.socket
            .send(Message::binary(bytes.to_vec()))
            .map_err(|error| error.to_string())
    }

    /// Waits for what arrives next.
    ///
    /// # Panics
    /// Panics if nothing arrives.
    #[track_caller]
    pub fn receive(&mut self) -> Received {
        match self.receive_within(PATIENCE) {
            Some(received) => received,
            None => panic!("nothing came over the socket in {PATIENCE:?}"),
        }
    }

    /// Waits for what arrives next within a time.
    #[track_caller]
    pub fn receive_within(&mut self, patience: Duration) -> Option<Received> {
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline
                .saturating_duration_since(Instant::now())
                .max(Duration::from_millis(1));
            self.socket
                .get_ref()
                .set_read_timeout(Some(left))
                .expect("a stream");
            match self.socket.read() {
                Ok(Message::Text(text)) => return Some(Received::Text(text.to_string())),
                Ok(Message::Binary(bytes)) => return Some(Received::Binary(bytes.to_vec())),
                Ok(Message::Close(frame)) => {
                    let (code, reason) = frame.map_or((1005, String::new()), |frame| {
                        (frame.code.into(), frame.reason.to_string())
                    });
                    // Sends the reply that the protocol requires.
                    let _ = self.socket.flush();
                    return Some(Received::Close { code, reason });
                }
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {}
                Err(Error::Io(error))
                    if matches!(
                        error.kind(),
                        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                    ) =>
                {
                    if Instant::now() >= deadline {
                        return None;
                    }
                }
                Err(_) => return Some(Received::Broken),
            }
        }
    }

    /// Waits for the next message, as JSON.
    ///
    /// # Panics
    /// Panics if something else arrives, or if it does not fit.
    #[track_caller]
    pub fn receive_json<T: DeserializeOwned>(&mut self) -> T {
        match self.receive() {
            Received::Text(text) => {
                serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text:?}"))
            }
            other => panic!("a message was due, {other:?} came"),
        }
    }

    /// Sends a Close without waiting for the answer.
    pub fn close(&mut self, code: u16, reason: &str) {
        let frame = CloseFrame {
            code: CloseCode::from(code),
            reason: reason.to_owned().into(),
        };
        let _ = self.socket.close(Some(frame));
        let _ = self.socket.flush();
    }

    /// Ends the connection without a Close.
    pub fn vanish(self) {
        let _ = self.socket.get_ref().shutdown(Shutdown::Both);
    }
}
