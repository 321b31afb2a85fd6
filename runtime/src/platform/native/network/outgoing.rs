//! Requests to the outside world.
//!
//! Dropping a request's future ends everything that belongs to it, the connection included. Only a
//! DNS look-up cannot be ended, because the system's resolver blocks a thread. So only a few
//! look-ups run at a time.

use std::cell::RefCell;
use std::future::Future;
use std::net::{SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tower_service::Service;
use url::Url;

use super::budget::Budget;
use crate::error::fault::Fault;
use crate::http::{Body, Header, Request, Response};
use crate::turn::LocalFuture;

/// How many requests of one shard may be in flight. Others wait for their turn.
const MAX_FLIGHTS: usize = 64;
/// How many names one shard looks up at a time.
const MAX_LOOKUPS: usize = 8;
/// The maximum size of a response's body, in bytes. It is held in memory as a whole.
const MAX_RESPONSE: usize = 32 * 1024 * 1024;
/// How many bytes the responses of one shard may hold together while they arrive.
const MAX_RESPONSES: usize = 128 * 1024 * 1024;
/// The maximum size of a response's head.
const MAX_HEAD: usize = 128 * 1024;
/// How long a request may take, including redirects and the body of the answer.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How long a connection is kept for the next request.
const IDLE: Duration = Duration::from_secs(15);
const IDLE_CONNECTIONS: usize = 8;
/// The limit of the Fetch standard.
const MAX_REDIRECTS: usize = 20;

/// Answers requests in the simulator.
pub(super) type Responder = Rc<dyn Fn(Request) -> LocalFuture<'static, Response>>;

/// The source of answers: the network or a test's responder.
#[derive(Clone)]
pub(in super::super) enum Outgoing {
    Network(Rc<Network>),
    Simulated(Rc<RefCell<Option<Responder>>>),
}

impl Outgoing {
    pub(in super::super) fn network() -> std::io::Result<Self> {
        Ok(Self::Network(Rc::new(Network::new()?)))
    }

    pub(in super::super) fn simulated() -> Self {
        Self::Simulated(Rc::default())
    }

    pub(in super::super) fn answer_with(&self, responder: Responder) {
        if let Self::Simulated(answered_by) = self {
            answered_by.replace(Some(responder));
        }
    }

    pub(in super::super) async fn fetch(self, request: Request) -> Result<Response, Fault> {
        match self {
            Self::Network(network) => network.fetch(request.inner.into_outgoing()?).await,
            Self::Simulated(answered_by) => {
                request.inner.check_address()?;
                let responder = answered_by.borrow().clone().ok_or_else(|| {
                    Fault::Disconnected(
                        "the simulator has no network; set a response with sim.answer_outgoing(…)"
                            .to_owned(),
                    )
                })?;
                Ok(responder(request).await)
            }
        }
    }
}

/// The network of one shard.
pub(in super::super) struct Network {
    client: legacy::Client<HttpsConnector<HttpConnector<Lookups>>, Full<Bytes>>,
    flights: Semaphore,
    responses: Budget,
}

impl Network {
    fn new() -> std::io::Result<Self> {
        let mut connector = HttpConnector::new_with_resolver(Lookups::new());
        connector.enforce_http(false);
        connector.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
            .map_err(std::io::Error::other)?
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .http1_max_buf_size(MAX_HEAD)
            .build(connector);
        Ok(Self {
            client,
            flights: Semaphore::new(MAX_FLIGHTS),
            responses: Budget::new(MAX_RESPONSES),
        })
    }

    async fn fetch(&self, request: hyper::Request<Bytes>) -> Result<Response, Fault> {
        let flight = timeout(TIMEOUT, self.flights.acquire()).await;
        // The semaphore is never closed.
        let Ok(Ok(_flight)) = flight else {
            return Err(Fault::Overloaded(format!(
                "{MAX_FLIGHTS} other requests were under way for {} s",
                TIMEOUT.as_secs()
            )));
        };
        timeout(TIMEOUT, self.follow(request))
            .await
            .unwrap_or_else(|_| {
                Err(Fault::TimedOut(format!(
                    "no answer within {} s",
                    TIMEOUT.as_secs()
                )))
            })
    }

    /// Sends a request, and follows redirects.
    async fn follow(&self, request: hyper::Request<Bytes>) -> Result<Response, Fault> {
        let (parts, body) = request.into_parts();
        let mut hop = Hop {
            address: address_of(&parts.uri.to_string())?,
            method: parts.method,
            headers: parts.headers,
            body,
        };
        for _ in 0..=MAX_REDIRECTS {
            let response = self.client.request(hop.request()?).await;
            let response = response.map_err(|error| Fault::Disconnected(reason_of(&error)))?;
            if !hop.redirect(response.status(), response.headers())? {
                return self.receive(response).await;
            }
        }
        Err(Fault::Disconnected(format!(
            "the response was redirected more than {MAX_REDIRECTS} times"
        )))
    }

    async fn receive(&self, response: hyper::Response<Incoming>) -> Result<Response, Fault> {
        let (parts, mut body) = response.into_parts();
        let mut bytes = Vec::new();
        let mut share = self.responses.open();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| {
                Fault::Disconnected(format!("the response ended early: {}", reason_of(&error)))
            })?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            if bytes.len() + data.len() > MAX_RESPONSE {
                return Err(Fault::TooLarge(format!(
                    "the response's body is over the limit of {MAX_RESPONSE} bytes"
                )));
            }
            if !share.grow(data.len()) {
                return Err(Fault::Overloaded(format!(
                    "arriving responses are limited to {MAX_RESPONSES} bytes in total; try again later"
                )));
            }
            bytes.extend_from_slice(&data);
        }
        Ok(Response {
            status: parts.status.as_u16(),
            headers: headers_of(&parts.headers),
            body: Body::Bytes(bytes),
        })
    }
}

/// Keeps values that are not ASCII, as in a received request.
fn headers_of(received: &HeaderMap) -> Vec<Header> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    received
        .iter()
        .map(|(name, value)| (name.as_str().to_owned().into(), text(value).into()))
        .collect()
}

/// One request, which may be redirected several times.
struct Hop {
    address: Url,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
}

impl Hop {
    fn request(&self) -> Result<hyper::Request<Full<Bytes>>, Fault> {
        let address = self.address.as_str();
        let mut request = hyper::Request::builder()
            .method(self.method.clone())
            .uri(address)
            .body(Full::new(self.body.clone()))
            .map_err(|error| Fault::Configuration(format!("`{address}`: {error}")))?;
        let mut headers = self.headers.clone();
        // These headers concern only the connection.
        for name in [
            header::CONTENT_LENGTH,
            header::TRANSFER_ENCODING,
            header::CONNECTION,
            header::UPGRADE,
            header::TE,
            header::TRAILER,
        ] {
            headers.remove(name);
        }
        let agent = concat!("anchorhold/", env!("CARGO_PKG_VERSION"));
        for (name, value) in [(header::USER_AGENT, agent), (header::ACCEPT, "*/*")] {
            headers
                .entry(name)
                .or_insert_with(|| HeaderValue::from_static(value));
        }
        *request.headers_mut() = headers;
        Ok(request)
    }

    /// Follows a redirect, as the Fetch standard says. Returns `false` if there is nothing to
    /// follow.
    fn redirect(&mut self, status: StatusCode, answer: &HeaderMap) -> Result<bool, Fault> {
        if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
            return Ok(false);
        }
        let Some(location) = answer.get(header::LOCATION) else {
            return Ok(false);
        };
        let astray = || Fault::Disconnected("the redirect has no valid address".to_owned());
        let location = String::from_utf8_lossy(location.as_bytes());
        let next = self.address.join(&location).map_err(|_| astray())?;
        let next = address_of(next.as_str()).map_err(|_| astray())?;
        let becomes_get = match status.as_u16() {
            303 => !matches!(self.method, Method::GET | Method::HEAD),
            301 | 302 => self.method == Method::POST,
            _ => false,
        };
        if becomes_get {
            self.method = Method::GET;
            self.body = Bytes::new();
            for name in [
                header::CONTENT_TYPE,
                header::CONTENT_ENCODING,
                header::CONTENT_LANGUAGE,
                header::CONTENT_LOCATION,
            ] {
                self.headers.remove(name);
            }
        }
        if next.origin() != self.address.origin() {
            for name in SECRETS {
                self.headers.remove(name);
            }
        }
        self.address = next;
        Ok(true)
    }
}

/// Headers that another origin must not receive, and `Host`, which names the origin.
const SECRETS: [HeaderName; 4] = [
    header::AUTHORIZATION,
    header::COOKIE,
    header::PROXY_AUTHORIZATION,
    header::HOST,
];

fn address_of(text: &str) -> Result<Url, Fault> {
    let refused = |why: &str| Fault::Configuration(format!("`{text}` is not an address: {why}"));
    let address = Url::parse(text).map_err(|error| refused(&error.to_string()))?;
    if !matches!(address.scheme(), "http" | "https") {
        return Err(refused("use http or https"));
    }
    if !address.username().is_empty() || address.password().is_some() {
        return Err(refused(
            "put the credentials into the header `authorization`",
        ));
    }
    Ok(address)
}

/// Formats an error with its causes, because the outermost error says little.
fn reason_of(error: &dyn std::error::Error) -> String {
    let mut reason = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        reason.push_str(": ");
        reason.push_str(&error.to_string());
        source = error.source();
    }
    reason
}

/// Looks names up, a few at a time. A cancelled look-up keeps its place until the system's resolver
/// returns.
#[derive(Clone)]
struct Lookups(Arc<Semaphore>);

impl Lookups {
    fn new() -> Self {
        Self(Arc::new(Semaphore::new(MAX_LOOKUPS)))
    }
}

type Addresses = std::vec::IntoIter<SocketAddr>;

impl Service<Name> for Lookups {
    type Response = Addresses;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = std::io::Result<Addresses>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let places = Arc::clone(&self.0);
        Box::pin(async move {
            let place = places
                .acquire_owned()
                .await
                .map_err(std::io::Error::other)?;
            let looked_up = tokio::task::spawn_blocking(move || {
                let _place = place;
                (name.as_str(), 0).to_socket_addrs()
            });
            looked_up.await.map_err(std::io::Error::other)?
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(method: Method, address: &str) -> Hop {
        let mut headers = HeaderMap::new();
        for name in ["authorization", "cookie", "content-type", "x-own"] {
            headers.insert(name, HeaderValue::from_static("value"));
        }
        Hop {
            address: Url::parse(address).unwrap(),
            method,
            headers,
            body: Bytes::from_static(b"body"),
        }
    }

    fn redirected(method: Method, status: u16, location: &str) -> Option<Hop> {
        let mut hop = hop(method, "https://a.example/x/y?q=1");
        let mut answer = HeaderMap::new();
        answer.insert(
            header::LOCATION,
            HeaderValue::from_bytes(location.as_bytes()).unwrap(),
        );
        let status = StatusCode::from_u16(status).unwrap();
        hop.redirect(status, &answer).unwrap().then_some(hop)
    }

    #[test]
    fn redirect_keeps_or_changes_the_method_as_fetch_says() {
        for (method, status, becomes) in [
            (Method::POST, 301, Method::GET),
            (Method::POST, 302, Method::GET),
            (Method::POST, 303, Method::GET),
            (Method::PUT, 303, Method::GET),
            (Method::HEAD, 303, Method::HEAD),
            (Method::PUT, 302, Method::PUT),
            (Method::POST, 307, Method::POST),
            (Method::POST, 308, Method::POST),
            (Method::GET, 301, Method::GET),
        ] {
            let kept = method == becomes;
            let hop = redirected(method.clone(), status, "/z").unwrap();
            assert_eq!(hop.method, becomes, "{method} {status}");
            assert_eq!(hop.body.is_empty(), !kept, "{method} {status}");
            assert_eq!(hop.headers.contains_key("content-type"), kept);
            assert!(
                hop.headers.contains_key("authorization"),
                "it is the same origin"
            );
        }
        for status in [200, 300, 304, 305] {
            assert!(redirected(Method::GET, status, "/z").is_none());
        }
    }

    #[test]
    fn headers_beyond_ascii_are_kept() {
        let value = HeaderValue::from_bytes("caf\u{e9}".as_bytes()).unwrap();
        let received = HeaderMap::from_iter([(header::SERVER, value)]);
        let expected = [("server".into(), "caf\u{e9}".into())];
        assert_eq!(headers_of(&received), expected);
        let hop = redirected(Method::GET, 302, "/caf\u{e9}").expect("a redirect");
        assert_eq!(hop.address.path(), "/caf%C3%A9");
    }

    #[test]
    fn redirect_is_relative_to_the_address_and_sends_no_secrets_to_another_origin() {
        for (location, address, same_origin) in [
            ("/z", "https://a.example/z", true),
            ("z?w=2", "https://a.example/x/z?w=2", true),
            ("../z", "https://a.example/z", true),
            ("//b.example/z", "https://b.example/z", false),
            ("http://a.example/z", "http://a.example/z", false),
            ("https://a.example:444/z", "https://a.example:444/z", false),
            ("https://a.example:443/z", "https://a.example/z", true),
        ] {
            let hop = redirected(Method::GET, 302, location).unwrap();
            assert_eq!(hop.address.as_str(), address);
            for secret in ["authorization", "cookie"] {
                assert_eq!(hop.headers.contains_key(secret), same_origin, "{location}");
            }
            assert!(hop.headers.contains_key("x-own"));
        }
        let mut astray = hop(Method::GET, "https://a.example/");
        for location in [
            "file:///etc/passwd",
            "https://",
            "javascript:x",
            "https://u:p@a.example/",
        ] {
            let mut answer = HeaderMap::new();
            answer.insert(header::LOCATION, HeaderValue::from_str(location).unwrap());
            assert!(
                astray.redirect(StatusCode::FOUND, &answer).is_err(),
                "{location}"
            );
        }
    }

    #[test]
    fn request_states_its_own_framing() {
        let mut hop = hop(Method::POST, "https://a.example/");
        hop.headers
            .insert(header::CONTENT_LENGTH, HeaderValue::from_static("999"));
        hop.headers.insert(
            header::TRANSFER_ENCODING,
            HeaderValue::from_static("chunked"),
        );
        hop.headers
            .insert(header::USER_AGENT, HeaderValue::from_static("mine"));
        let request = hop.request().unwrap();
        assert!(!request.headers().contains_key(header::CONTENT_LENGTH));
        assert!(!request.headers().contains_key(header::TRANSFER_ENCODING));
        assert_eq!(request.headers()[header::USER_AGENT], "mine");
        assert_eq!(request.headers()[header::ACCEPT], "*/*");
    }
}
