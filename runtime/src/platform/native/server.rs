//! HTTP and the handshake of WebSockets, on the shard's own thread.

use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::assets;
use super::remote::Env;
use super::request::Request as PlatformRequest;
use super::shard::Shard;
use super::socket::Upgrade;
use super::transport::Transport;
use crate::app::App;
use crate::fault::Fault;
use crate::http::{Body, Request, Response};

/// A body that is read before its object is reached.
const MAX_BODY: usize = 1024 * 1024;
/// The head of a request; hyper answers 431 above it.
const MAX_HEAD: usize = 64 * 1024;
const MAX_HEADERS: usize = 100;
/// How long a connection may take to send a request's head, and may be idle between requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// How much of a body that is refused for its size is read and dropped. Closing at once would reset
/// the connection under a peer that is still sending, and the answer would be lost with it.
const MAX_DISCARDED: usize = 32 * 1024 * 1024;
/// How long a request's body may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Connections of one shard that speak HTTP; more wait in the listener's queue.
const MAX_CONNECTIONS: usize = 16_384;
/// After the system refused a connection (too many open files), before the next is tried.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

type HttpResponse = hyper::Response<Full<Bytes>>;

/// The HTTP side of one shard.
pub(super) struct Server {
    shard: Rc<Shard>,
    app: Rc<App>,
    connections: Cell<usize>,
    draining: watch::Sender<bool>,
}

impl Server {
    pub(super) fn new(shard: Rc<Shard>, app: App) -> Rc<Self> {
        Rc::new(Self {
            shard,
            app: Rc::new(app),
            connections: Cell::new(0),
            draining: watch::Sender::new(false),
        })
    }

    /// Takes connections until the host drains.
    pub(super) async fn accept(self: Rc<Self>, listener: TcpListener) {
        let mut draining = self.draining.subscribe();
        loop {
            let accepted = tokio::select! {
                biased;
                _ = draining.wait_for(|draining| *draining) => return,
                accepted = listener.accept(), if self.connections.get() < MAX_CONNECTIONS => accepted,
                () = tokio::time::sleep(ACCEPT_PAUSE), if self.connections.get() >= MAX_CONNECTIONS => continue,
            };
            match accepted {
                Ok((stream, _)) => {
                    self.connections.set(self.connections.get() + 1);
                    tokio::task::spawn_local(Rc::clone(&self).converse(stream));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// No new connections and requests; those that run are finished.
    pub(super) fn drain(&self) {
        self.draining.send_replace(true);
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.connections.get() == 0
    }

    async fn converse(self: Rc<Self>, stream: TcpStream) {
        // Answers are small and whole: waiting for more bytes only costs time.
        let _ = stream.set_nodelay(true);
        let mut draining = self.draining.subscribe();
        let this = Rc::clone(&self);
        let service = service_fn(move |request| Rc::clone(&this).answer(request));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(MAX_HEAD)
            .max_headers(MAX_HEADERS)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            biased;
            // How a connection ends is the peer's affair.
            _ = connection.as_mut() => {}
            _ = draining.wait_for(|draining| *draining) => {
                connection.as_mut().graceful_shutdown();
                let _ = connection.await;
            }
        }
        self.connections.set(self.connections.get() - 1);
    }

    async fn answer(
        self: Rc<Self>,
        request: hyper::Request<Incoming>,
    ) -> Result<HttpResponse, Infallible> {
        Ok(self
            .try_answer(request)
            .await
            .unwrap_or_else(|fault| into_http(fault.into_response())))
    }

    async fn try_answer(&self, request: hyper::Request<Incoming>) -> Result<HttpResponse, Fault> {
        let (mut parts, body) = request.into_parts();
        let handshake = Handshake::of(&mut parts)?;
        let body = read_body(&parts.headers, body).await?;
        let path = parts.uri.path().to_owned();
        let request = Request {
            inner: PlatformRequest::received(&mut parts, body),
        };
        let env = crate::context::Env::new(Env::ungated(Rc::clone(&self.shard)));
        let mut response = match self.app.answer(request, env).await {
            Some(response) => response,
            None => assets::answer(self.app.asset_folder().unwrap_or_default(), &path).await,
        };
        match std::mem::replace(&mut response.body, Body::Empty) {
            Body::Upgrade(upgrade) => match handshake {
                Some(handshake) => Ok(handshake.complete(upgrade)),
                None => Err(Fault::UpgradeRequired),
            },
            body => {
                response.body = body;
                Ok(into_http(response))
            }
        }
    }
}

async fn read_body(headers: &HeaderMap, body: Incoming) -> Result<Bytes, Fault> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let stated = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if let Some(length) = stated.filter(|length| *length > MAX_BODY) {
        // A peer that asks first has not begun to send.
        if !headers.contains_key(header::EXPECT) && length <= MAX_DISCARDED {
            discard(body).await;
        }
        return Err(too_large(&length.to_string()));
    }
    let mut body = body;
    match timeout(BODY_TIMEOUT, Limited::new(&mut body, MAX_BODY).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            discard(body).await;
            Err(too_large("more"))
        }
        Ok(Err(error)) => Err(Fault::BadRequest(format!("the body broke off: {error}"))),
        Err(_) => Err(Fault::TimedOut(format!(
            "the body did not arrive within {} s",
            BODY_TIMEOUT.as_secs()
        ))),
    }
}

fn too_large(size: &str) -> Fault {
    Fault::TooLarge(format!(
        "a body of {size} bytes is over the limit of {MAX_BODY}"
    ))
}

async fn discard(mut body: Incoming) {
    let mut discarded = 0;
    let drop_frames = async {
        while let Some(Ok(frame)) = body.frame().await {
            discarded += frame.data_ref().map_or(0, Bytes::len);
            if discarded > MAX_DISCARDED {
                break;
            }
        }
    };
    // However it ends: the answer is the same.
    let _ = timeout(BODY_TIMEOUT, drop_frames).await;
}

fn into_http(response: Response) -> HttpResponse {
    let Response {
        status,
        headers,
        body,
    } = response;
    let body = match body {
        Body::Bytes(bytes) => Bytes::from(bytes),
        Body::Empty | Body::Upgrade(_) => Bytes::new(),
    };
    let mut http = hyper::Response::new(Full::new(body));
    match hyper::StatusCode::from_u16(status) {
        Ok(status) => *http.status_mut() = status,
        Err(_) => {
            tracing::error!(
                status,
                "a handler answered with a status that HTTP does not have"
            );
            *http.status_mut() = hyper::StatusCode::INTERNAL_SERVER_ERROR;
        }
    }
    for (name, value) in headers {
        match (
            HeaderName::try_from(name.as_ref()),
            HeaderValue::from_str(&value),
        ) {
            (Ok(name), Ok(value)) => drop(http.headers_mut().append(name, value)),
            _ => tracing::warn!(
                name = name.as_ref(),
                "a header that HTTP does not allow is left out"
            ),
        }
    }
    http
}

/// The client's half of a WebSocket handshake, found valid.
struct Handshake {
    accept: String,
    upgrade: OnUpgrade,
}

impl Handshake {
    fn of(parts: &mut Parts) -> Result<Option<Self>, Fault> {
        let contains = |name, token: &str| {
            parts.headers.get_all(name).iter().any(|value| {
                value.to_str().is_ok_and(|value| {
                    value
                        .split(',')
                        .any(|part| part.trim().eq_ignore_ascii_case(token))
                })
            })
        };
        if !contains(header::UPGRADE, "websocket") || !contains(header::CONNECTION, "upgrade") {
            return Ok(None);
        }
        if !contains(header::SEC_WEBSOCKET_VERSION, "13") {
            return Err(Fault::BadRequest(
                "Sec-WebSocket-Version must be 13".to_owned(),
            ));
        }
        let Some(key) = parts.headers.get(header::SEC_WEBSOCKET_KEY) else {
            return Err(Fault::BadRequest("Sec-WebSocket-Key is missing".to_owned()));
        };
        let accept = derive_accept_key(key.as_bytes());
        Ok(parts
            .extensions
            .remove::<OnUpgrade>()
            .map(|upgrade| Self { accept, upgrade }))
    }

    /// Says yes, and gives the connection to the socket when the peer has been told.
    fn complete(self, socket: Upgrade) -> HttpResponse {
        tokio::task::spawn_local(async move {
            match self.upgrade.await {
                Ok(upgraded) => hand_over(upgraded, socket),
                Err(error) => tracing::debug!(%error, "a peer left during the handshake"),
            }
        });
        let mut response = hyper::Response::new(Full::new(Bytes::new()));
        *response.status_mut() = hyper::StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        if let Ok(accept) = HeaderValue::try_from(self.accept) {
            headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
        }
        response
    }
}

fn hand_over(upgraded: hyper::upgrade::Upgraded, socket: Upgrade) {
    match upgraded.downcast::<TokioIo<TcpStream>>() {
        Ok(parts) => match parts.io.into_inner().into_std() {
            Ok(stream) => socket.complete(Transport::Tcp(stream, parts.read_buf)),
            Err(error) => tracing::warn!(%error, "a socket's connection cannot be handed over"),
        },
        Err(_) => tracing::error!("a socket's connection is of another kind"),
    }
}
