//! Connections that a test drives byte by byte.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;
use ureq::http::{HeaderMap, HeaderName, HeaderValue};

use crate::{Answer, Client};

/// An HTTP/1.1 connection. It stays open between requests.
#[derive(Debug)]
pub struct Raw {
    stream: TcpStream,
    received: Vec<u8>,
    head: String,
}

impl Client {
    /// Opens a connection.
    ///
    /// # Errors
    /// Fails if the system or the app refuses.
    pub fn dial(&self) -> Result<Raw, String> {
        let address = self.base().trim_start_matches("http://");
        let (host, mount) = address.split_at(address.find('/').unwrap_or(address.len()));
        let stream = TcpStream::connect(host).map_err(|error| format!("connecting: {error}"))?;
        stream.set_nodelay(true).expect("a connected stream");
        Ok(Raw {
            stream,
            received: Vec::new(),
            head: format!("{mount}|{host}"),
        })
    }
}

impl Raw {
    /// Sends bytes unchanged.
    ///
    /// # Errors
    /// Fails if the connection is broken.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.stream
            .write_all(bytes)
            .map_err(|error| format!("sending: {error}"))
    }

    /// Sends a request without waiting for its answer.
    ///
    /// # Errors
    /// Fails if the connection is broken.
    pub fn ask(&mut self, method: &str, path: &str, body: Option<&Value>) -> Result<(), String> {
        let (mount, host) = self.head.split_once('|').unwrap_or_default();
        let mut request = format!("{method} {mount}{path} HTTP/1.1\r\nhost: {host}\r\n");
        if let Some(body) = body {
            let body = body.to_string();
            let length = body.len();
            request.push_str(&format!(
                "content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
            ));
        } else {
            request.push_str("\r\n");
        }
        self.write(request.as_bytes())
    }

    /// Sends a request without a body and with more header lines.
    ///
    /// # Errors
    /// Fails if the connection is broken.
    pub fn ask_with(&mut self, method: &str, path: &str, headers: &str) -> Result<(), String> {
        let (mount, host) = self.head.split_once('|').unwrap_or_default();
        let head = format!("{method} {mount}{path} HTTP/1.1\r\nhost: {host}\r\n{headers}\r\n\r\n");
        self.write(head.as_bytes())
    }

    /// Waits until a text has arrived. Returns everything that has arrived of the answer, which can
    /// still be waited for.
    ///
    /// # Errors
    /// Fails if the connection ends, or if the text does not arrive in time.
    pub fn receive_until(&mut self, text: &str, patience: Duration) -> Result<String, String> {
        let deadline = Instant::now() + patience;
        loop {
            let received = String::from_utf8_lossy(&self.received).into_owned();
            if received.contains(text) {
                return Ok(received);
            }
            if self.read_until(deadline)? == 0 {
                return Err(format!("the connection ended after {received:?}"));
            }
        }
    }

    /// Sends a request and waits for its answer.
    ///
    /// # Errors
    /// Fails if the connection breaks, or if no answer arrives in time.
    pub fn exchange(
        &mut self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        patience: Duration,
    ) -> Result<Answer, String> {
        self.ask(method, path, body)
            .and_then(|()| self.answer(patience))
            .map_err(|error| format!("{method} {path}: {error}"))
    }

    /// Waits for the next answer.
    ///
    /// # Errors
    /// Fails if the connection breaks, or if no answer arrives in time.
    pub fn answer(&mut self, patience: Duration) -> Result<Answer, String> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some((answer, length)) = parse(&self.received)? {
                self.received.drain(..length);
                return Ok(answer);
            }
            if self.read_until(deadline)? == 0 {
                return Err("the connection ended before the answer".to_owned());
            }
        }
    }

    /// Waits until the other side ends the connection, and drops what it sends before.
    ///
    /// # Errors
    /// Fails if the connection is still open after the time.
    pub fn wait_for_end(&mut self, patience: Duration) -> Result<(), String> {
        let deadline = Instant::now() + patience;
        loop {
            match self.read_until(deadline) {
                Ok(0) => return Ok(()),
                Ok(_) => self.received.clear(),
                Err(error) if error.starts_with("receiving") => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether the other side has ended the connection.
    ///
    /// # Panics
    /// Panics if the system refuses.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.stream.set_nonblocking(true).expect("an open socket");
        let ended = match self.stream.peek(&mut [0; 1]) {
            Ok(0) => true,
            Ok(_) => false,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        };
        self.stream.set_nonblocking(false).expect("an open socket");
        ended
    }

    fn read_until(&mut self, deadline: Instant) -> Result<usize, String> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err("nothing came in time".to_owned());
        }
        self.stream
            .set_read_timeout(Some(left))
            .expect("an open socket");
        let mut chunk = [0; 16 * 1024];
        match self.stream.read(&mut chunk) {
            Ok(length) => {
                self.received.extend_from_slice(&chunk[..length]);
                Ok(length)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Err("nothing came in time".to_owned())
            }
            Err(error) => Err(format!("receiving: {error}")),
        }
    }
}

/// Parses an answer. Returns it with its length, once it is complete.
fn parse(received: &[u8]) -> Result<Option<(Answer, usize)>, String> {
    let Some(end) = received.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = String::from_utf8_lossy(&received[..end]);
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let status: u16 = status
        .and_then(|status| status.parse().ok())
        .ok_or_else(|| format!("no status line in {head:?}"))?;
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| error.to_string())?;
        let value = HeaderValue::from_str(value.trim()).map_err(|error| error.to_string())?;
        headers.append(name, value);
    }
    let body = &received[end + 4..];
    let chunked = headers.get("transfer-encoding").is_some();
    let whole = if chunked {
        unchunk(body)?
    } else {
        let length = headers
            .get("content-length")
            .and_then(|length| length.to_str().ok()?.parse::<usize>().ok())
            .unwrap_or(0);
        (body.len() >= length).then(|| (body[..length].to_vec(), length))
    };
    Ok(whole.map(|(body, length)| {
        let answer = Answer {
            status,
            headers,
            body,
        };
        (answer, end + 4 + length)
    }))
}

/// Parses a chunked body. Returns it with its length, once it is complete.
fn unchunk(mut rest: &[u8]) -> Result<Option<(Vec<u8>, usize)>, String> {
    let whole = rest.len();
    let mut body = Vec::new();
    loop {
        let Some(end) = rest.windows(2).position(|two| two == b"\r\n") else {
            return Ok(None);
        };
        let size = String::from_utf8_lossy(&rest[..end]);
        let size = usize::from_str_radix(size.trim(), 16).map_err(|error| error.to_string())?;
        let Some(chunk) = rest.get(end + 2..end + 2 + size) else {
            return Ok(None);
        };
        body.extend_from_slice(chunk);
        let Some(left) = rest.get(end + 4 + size..) else {
            return Ok(None);
        };
        rest = left;
        if size == 0 {
            return Ok(Some((body, whole - rest.len())));
        }
    }
}
