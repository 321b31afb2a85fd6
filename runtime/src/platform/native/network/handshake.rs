//! The server's half of a WebSocket handshake (RFC 6455, section 4.2).

use hyper::body::Bytes;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::super::seam::upgrade::{Transport, Upgrade};
use super::admission::Admission;
use super::answers::{HttpResponse, append};
use super::budget::Share;
use super::peer::Peer;
use crate::error::fault::Fault;
use crate::http::Header;

/// A valid handshake of a client.
#[derive(Debug)]
pub(super) struct Handshake {
    accept: String,
    upgrade: OnUpgrade,
    share: Share,
}

impl Handshake {
    /// Checks what a request that [asks for a WebSocket](crate::engine::routing::is_upgrade) must contain.
    /// Fails with the reason why there will be none.
    pub(super) fn of(
        parts: &mut Parts,
        headers: &HeaderMap,
        admission: &Admission,
    ) -> Result<Self, Fault> {
        if parts.version < hyper::Version::HTTP_11 {
            return Err(broken(
                "it needs HTTP/1.1; a proxy may speak an older version",
            ));
        }
        if !contains(headers, header::CONNECTION, "upgrade") {
            return Err(broken(
                "`Connection: upgrade` is missing; a proxy may have to pass it on",
            ));
        }
        if !contains(headers, header::SEC_WEBSOCKET_VERSION, "13") {
            return Err(broken("Sec-WebSocket-Version must be 13"));
        }
        let Some(key) = headers.get(header::SEC_WEBSOCKET_KEY) else {
            return Err(broken("Sec-WebSocket-Key is missing"));
        };
        if !is_key(key.as_bytes()) {
            return Err(broken("Sec-WebSocket-Key must be 16 bytes in base64"));
        }
        let accept = derive_accept_key(key.as_bytes());
        let Some(upgrade) = parts.extensions.remove() else {
            return Err(broken("this connection cannot be upgraded"));
        };
        let share = admission.upgrade().ok_or_else(|| {
            Fault::Overloaded(
                "as many WebSockets are open as the limit of file descriptors allows; try again later"
                    .to_owned(),
            )
        })?;
        Ok(Self {
            accept,
            upgrade,
            share,
        })
    }

    /// Accepts the handshake with the object's headers, and passes the connection to the socket after
    /// the peer has been told.
    pub(super) fn complete(self, socket: Upgrade, headers: Vec<Header>) -> HttpResponse {
        tokio::task::spawn_local(async move {
            match self.upgrade.await {
                Ok(upgraded) => hand_over(upgraded, self.share, socket),
                Err(error) => tracing::debug!(%error, "a peer left during the handshake"),
            }
        });
        let mut response = hyper::Response::new(Bytes::new().into());
        *response.status_mut() = hyper::StatusCode::SWITCHING_PROTOCOLS;
        append(&mut response, headers);
        let headers = response.headers_mut();
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        if let Ok(accept) = HeaderValue::try_from(self.accept) {
            headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
        }
        response
    }
}

fn broken(what: &str) -> Fault {
    Fault::BadRequest(format!("the WebSocket handshake is broken: {what}"))
}

fn contains(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter();
    let mut tokens = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    tokens.any(|part| part.trim().eq_ignore_ascii_case(token))
}

/// Whether this is the base64 form of 16 bytes.
fn is_key(key: &[u8]) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    matches!(key.strip_suffix(b"=="), Some(digits) if digits.len() == 22 && digits.iter().all(is_digit))
}

fn hand_over(upgraded: hyper::upgrade::Upgraded, share: Share, socket: Upgrade) {
    let Ok(parts) = upgraded.downcast::<TokioIo<Peer<TcpStream>>>() else {
        tracing::error!("a socket's connection is of another kind");
        return;
    };
    let (stream, admitted) = parts.io.into_inner().into_parts();
    let Some(admitted) = admitted else {
        tracing::error!("a socket's connection has no place among the others");
        return;
    };
    match stream.into_std() {
        Ok(stream) => socket.complete(Transport::Tcp {
            stream,
            admitted: admitted.upgraded(share),
            read: parts.read_buf,
        }),
        Err(error) => tracing::warn!(%error, "a socket's connection cannot be handed over"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::routing::is_upgrade;
    use crate::http::Request;
    use crate::platform::native::store::Descriptors;

    #[test]
    fn only_a_get_that_offers_websockets_asks_for_one() {
        let asks = |method: &str, upgrade: &str| {
            is_upgrade(&Request::new(method, "/ws").with_header("upgrade", upgrade))
        };
        assert!(asks("GET", "websocket") && asks("GET", "h2c, WebSocket"));
        assert!(!asks("HEAD", "websocket") && !asks("POST", "websocket"));
        assert!(!asks("GET", "h2c") && !asks("GET", "websockets"));
    }

    #[test]
    fn handshake_says_what_it_lacks() {
        let valid = [
            ("connection", "keep-alive, Upgrade"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let fault = |version, changed: Option<(&str, Option<&str>)>| {
            let mut request = hyper::Request::builder().version(version);
            for (name, value) in valid {
                let value = match changed {
                    Some((other, value)) if other == name => value,
                    _ => Some(value),
                };
                if let Some(value) = value {
                    request = request.header(name, value);
                }
            }
            let (mut parts, ()) = request.body(()).unwrap().into_parts();
            let headers = std::mem::take(&mut parts.headers);
            let admission = Admission::new(&Descriptors::of(256), 1);
            let refused = Handshake::of(&mut parts, &headers, &admission);
            refused.unwrap_err().summary().2
        };
        let http_11 = hyper::Version::HTTP_11;
        // Only the connection is missing here. A server has one.
        let last = fault(http_11, None);
        assert!(
            last.contains("this connection cannot be upgraded"),
            "{last}"
        );
        let old = fault(hyper::Version::HTTP_10, None);
        assert!(old.contains("HTTP/1.1"), "{old}");
        for (name, value, lacks) in [
            ("connection", None, "`Connection: upgrade`"),
            ("connection", Some("keep-alive"), "`Connection: upgrade`"),
            ("sec-websocket-version", None, "must be 13"),
            ("sec-websocket-version", Some("8"), "must be 13"),
            ("sec-websocket-key", None, "Key is missing"),
            ("sec-websocket-key", Some(""), "16 bytes"),
            ("sec-websocket-key", Some("x"), "16 bytes"),
            (
                "sec-websocket-key",
                Some("dGhlIHNhbXBsZSBub25jZQ"),
                "16 bytes",
            ),
        ] {
            let fault = fault(http_11, Some((name, value)));
            assert!(fault.contains(lacks), "{name}: {value:?}: {fault}");
        }
    }
}
