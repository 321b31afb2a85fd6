//! HTTP, on the shard's own thread.

use std::cell::Cell;
use std::convert::Infallible;
use std::fmt::Display;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body as _, Incoming};
use hyper::header;
use hyper::http::request::Parts;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::super::executor::Shard;
use super::super::seam::incoming::Incoming as Arrives;
use super::super::seam::remote::Env;
use super::super::seam::request::Request as PlatformRequest;
use super::admission::{Admission, Ticket};
use super::answers::{Answers, HttpResponse, with_body};
use super::arriving::Arriving;
use super::bodies::{Bodies, MAX_BODIES, check_length};
use super::budget::Share;
use super::handshake::Handshake;
use super::peer::Peer;
use super::proxies::{self, Network};
use super::requests::Requests;
use super::waiting::Waiting;
use super::{assets, connection};
use crate::app::App;
use crate::app::dispatch::Destination;
use crate::engine::routing::{find, is_upgrade};
use crate::engine::table::Description;
use crate::error::fault::Fault;
use crate::http::{Body, Request};
use crate::turn::user_code::Guarded;

/// How long to wait after the system refused a connection (too many open files), before the next
/// try.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How many bytes incomplete request heads of one shard may hold together. Beyond it, the oldest
/// connection whose head has stopped arriving is closed, or else the one that finds no room.
const MAX_HEADS: usize = 64 * 1024 * 1024;
const UPGRADE_REQUIRED: u16 = 426;
/// How long a peer that is refused may take to read that it is.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(1);
/// Refusals are logged together, at most once in this time.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// The HTTP side of one shard.
pub(in super::super) struct Server {
    shard: Rc<Shard>,
    app: Rc<App>,
    admission: Arc<Admission>,
    trusted_proxies: Arc<[Network]>,
    connections: Rc<Cell<usize>>,
    refused: Refused,
    heads: Waiting,
    bodies: Bodies,
    answers: Answers,
    draining: watch::Sender<bool>,
}

/// One connection. It counts until this is dropped.
struct Counted(Rc<Cell<usize>>);

impl Counted {
    fn new(count: &Rc<Cell<usize>>) -> Self {
        count.set(count.get() + 1);
        Self(Rc::clone(count))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Server {
    pub(in super::super) fn new(
        shard: Rc<Shard>,
        app: App,
        admission: Arc<Admission>,
        trusted_proxies: Arc<[Network]>,
    ) -> Rc<Self> {
        Rc::new(Self {
            shard,
            app: Rc::new(app),
            admission,
            trusted_proxies,
            connections: Rc::default(),
            refused: Refused::default(),
            heads: Waiting::new(MAX_HEADS),
            bodies: Bodies::new(MAX_BODIES),
            answers: Answers::new(),
            draining: watch::Sender::new(false),
        })
    }

    /// Accepts connections until the host drains.
    pub(in super::super) async fn accept(self: Rc<Self>, listener: TcpListener) {
        let mut draining = self.draining.subscribe();
        loop {
            let accepted = tokio::select! {
                biased;
                _ = draining.wait_for(|draining| *draining) => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => self.admit(stream, peer.ip()).await,
                Err(error) => {
                    self.refused.log(&error);
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn admit(self: &Rc<Self>, stream: TcpStream, address: IpAddr) {
        let counted = Counted::new(&self.connections);
        let ticket = match self.admission.admit() {
            Some(ticket) => Some(ticket),
            None => self.admission.displace().await,
        };
        if let Some(ticket) = ticket {
            tokio::task::spawn_local(Rc::clone(self).converse(stream, address, ticket, counted));
            return;
        }
        self.refused.log(&self.admission.reached());
        if let Some(share) = self.admission.refuse() {
            tokio::task::spawn_local(refuse(stream, share));
        }
    }

    /// Stops taking connections and requests. Running requests are finished.
    pub(in super::super) fn drain(&self) {
        self.draining.send_replace(true);
    }

    pub(in super::super) fn is_quiet(&self) -> bool {
        self.connections.get() == 0
    }

    async fn converse(
        self: Rc<Self>,
        stream: TcpStream,
        address: IpAddr,
        ticket: Ticket,
        _counted: Counted,
    ) {
        let Ticket {
            http: _http,
            connection: share,
        } = ticket;
        let requests = Requests::new(self.admission.queues(), &self.heads);
        let peer = Peer::accepted(stream, share, &requests);
        let draining = self.draining.subscribe();
        let answer = move |request| {
            let this = Rc::clone(&self);
            async move { this.answer(request, address).await }
        };
        connection::serve(peer, &requests, draining, answer).await;
    }

    async fn answer(
        &self,
        request: hyper::Request<Incoming>,
        peer: IpAddr,
    ) -> Result<HttpResponse, Infallible> {
        // Not boxed, because the future is larger than what allocators provide fast.
        let answer = Guarded::new(self.try_answer(request, peer)).await;
        let answer = answer.unwrap_or_else(|_| {
            tracing::error!("answering a request panicked");
            Err(Fault::Panicked)
        });
        Ok(answer
            .unwrap_or_else(|fault| self.answers.to_http(fault.into_response(), &self.draining)))
    }

    async fn try_answer(
        &self,
        request: hyper::Request<Incoming>,
        peer: IpAddr,
    ) -> Result<HttpResponse, Fault> {
        let (mut parts, body) = request.into_parts();
        check_host(&parts)?;
        let client = proxies::client_address(peer, &parts.headers, &self.trusted_proxies);
        let mut request = Request::received(PlatformRequest::received(&mut parts));
        request.inner.set_client_address(client);
        request.check()?;
        // If the path is not a WebSocket route, the request is answered as if no upgrade had been
        // asked (RFC 9110, section 7.8). If it is one, the answer says why there is no upgrade.
        let (handshake, refused) = if is_upgrade(&request) {
            match Handshake::of(&mut parts, request.inner.headers(), &self.admission) {
                Ok(handshake) => (Some(handshake), None),
                Err(refused) => {
                    request.inner.ignore_upgrade();
                    (None, Some(refused))
                }
            }
        } else {
            (None, None)
        };
        let allowed = self.app.cross_origin.check(&request);
        let headers = request.inner.headers();
        let limit = max_body(&self.app, &request);
        let received = match limit.filter(|_| allowed.is_ok() && !body.is_end_stream()) {
            Some(limit) => {
                let body = check_length(headers, body, limit).await;
                body.map(|body| Some(Arriving::new(headers, body, self.bodies.arriving())))
            }
            // An answer to a peer that is still sending would be lost with the connection, so the
            // body is read even if it is refused. The refusal is the same as on Cloudflare, whatever
            // the body.
            None => {
                let body = self.bodies.read(headers, body).await;
                body.map(|body| {
                    request.inner.receive_body(body);
                    None
                })
            }
        };
        match allowed.and(received) {
            Ok(Some(body)) => request.inner.await_body(Arrives::arriving(body)),
            Ok(None) => {}
            Err(fault) => {
                let headers = self.app.cross_origin.headers(&request);
                let response = fault.into_response().with_cross_origin_headers(headers);
                return Ok(self.answers.to_http(response, &self.draining));
            }
        }
        let env = crate::object::context::Env::new(Env::ungated(Rc::clone(&self.shard)));
        let mut response = match self.app.answer(request, env).await {
            Ok(response) => response,
            Err(asked) => {
                let folder = self.app.assets.unwrap_or_default();
                let path = asked.request.path();
                // Boxed, because its state would otherwise enlarge the future of every request.
                let asset = Box::pin(assets::answer(folder, &path, &self.answers));
                let reason = match asset.await {
                    Ok((response, body)) => return Ok(with_body(response, body.into())),
                    Err(reason) => reason,
                };
                self.app.answer_without_asset(*asked, reason).await
            }
        };
        match std::mem::replace(&mut response.body, Body::Empty) {
            Body::Upgrade(upgrade) => match handshake {
                Some(handshake) => Ok(handshake.complete(upgrade, response.headers)),
                None => Err(Fault::UpgradeRequired),
            },
            body => {
                if let Some(refused) = refused.filter(|_| response.status == UPGRADE_REQUIRED) {
                    return Err(refused);
                }
                response.body = body;
                Ok(self.answers.to_http(response, &self.draining))
            }
        }
    }
}

/// Returns the largest body that the route of a request states. Guards may still change the route.
fn max_body(app: &App, request: &Request) -> Option<usize> {
    let states_one =
        |class: &&Description| class.routes.iter().any(|route| route.max_body.is_some());
    // Most apps have none, and need not look for the route twice.
    if !app.objects.iter().any(states_one) {
        return None;
    }
    let (method, path) = (request.method(), request.path());
    let Destination::Object(target) = app.destination(&method, &path) else {
        return None;
    };
    let (route, _) = find(target.description, &method, target.path).ok()?;
    route.max_body
}

/// Exactly one host is allowed. Otherwise a guard and a proxy may each use a different one (RFC
/// 9112, section 3.2).
fn check_host(parts: &Parts) -> Result<(), Fault> {
    let hosts = parts.headers.get_all(header::HOST).iter().count();
    if hosts == 1 || (hosts == 0 && parts.version < hyper::Version::HTTP_11) {
        return Ok(());
    }
    Err(Fault::BadRequest(format!(
        "the request has {hosts} `Host` headers; must have one"
    )))
}

/// Tells the peer that there is no room for its connection, and closes it.
async fn refuse(mut stream: TcpStream, _share: Share) {
    let fault = Fault::Overloaded(
        "the server has as many connections as its limit allows; try again later".to_owned(),
    );
    let answer = fault.into_response();
    let body = answer.body().unwrap_or_default();
    let head = format!(
        "HTTP/1.1 {} Service Unavailable\r\nconnection: close\r\nretry-after: 1\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        answer.status(),
        body.len()
    );
    let told = async {
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body).await?;
        stream.shutdown().await?;
        // If closed with unread bytes, the connection would be reset, and the answer lost with it.
        let mut rest = [0; 1_024];
        while stream.read(&mut rest).await? > 0 {}
        std::io::Result::Ok(())
    };
    let _ = timeout(REFUSAL_TIMEOUT, told).await;
}

/// Connections that were refused and are not logged yet.
#[derive(Default)]
struct Refused {
    count: Cell<u64>,
    logged: Cell<Option<Instant>>,
}

impl Refused {
    fn log(&self, why: &dyn Display) {
        self.count.set(self.count.get() + 1);
        let is_due = |logged: Instant| logged.elapsed() >= LOG_INTERVAL;
        if self.logged.get().is_none_or(is_due) {
            self.logged.set(Some(Instant::now()));
            let count = self.count.take();
            tracing::warn!(count, %why, "connections were refused");
        }
    }
}
