//! Requests whose sender does not wait for the answer.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;
use serde::Serialize;

use crate::Client;

/// A request that was sent. Dropping it closes its connection cleanly.
#[derive(Debug)]
pub struct Unanswered(TcpStream);

impl Client {
    /// Sends a POST with a JSON body, without waiting for the answer.
    ///
    /// # Panics
    /// Panics if the app cannot be reached.
    #[must_use]
    pub fn post_unanswered(&self, path: &str, body: impl Serialize) -> Unanswered {
        let address = self.base().trim_start_matches("http://");
        let (host, mount) = address.split_at(address.find('/').unwrap_or(address.len()));
        let body = serde_json::to_string(&body).expect("the body has a form in JSON");
        let request = format!(
            "POST {mount}{path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(host).expect("the app listens");
        stream
            .write_all(request.as_bytes())
            .expect("the app reads requests");
        Unanswered(stream)
    }
}

impl Unanswered {
    /// Resets the connection (TCP's RST), as the system of a killed client or a proxy does.
    ///
    /// # Panics
    /// Panics if the system refuses.
    pub fn reset(self) {
        set_socket_linger(&self.0, Some(Duration::ZERO)).expect("an open socket");
    }

    /// Closes the connection cleanly.
    pub fn close(self) {
        drop(self);
    }
}
