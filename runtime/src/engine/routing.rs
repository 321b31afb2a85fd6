//! Converts HTTP requests and socket events to turns, and their results to responses.

use std::rc::Rc;
use std::time::Duration;

use super::input::{HttpArguments, HttpBody, Input, Reply, SocketEvent, Source};
use super::instance::Instance;
use super::table::{BodyUse, Description, Handler, Route, RouteKind};
use crate::codec::message_pack;
use crate::error::fault::Fault;
use crate::http::{Body, Request, Response, content_type, methods, path};
use crate::limits::{MAX_JSON_BODY, body_too_large};
use crate::platform;
use crate::socket::{Accepted, CloseEvent, Message, SocketError, may_be_sent};
use crate::turn::LocalFuture;
use crate::turn::caller::Origin;

/// The subprotocols that a client offers, and the one that the server chooses.
const PROTOCOLS: &str = "sec-websocket-protocol";
/// The pause before the end of a socket waits for its turn again.
const PAUSE: Duration = Duration::from_secs(1);

impl Instance {
    /// Handles a request whose path is the object's own.
    pub(crate) fn fetch(
        self: &Rc<Self>,
        request: Request,
        origin: Origin,
    ) -> LocalFuture<'static, Result<Response, Fault>> {
        let this = self.clone();
        Box::pin(async move { this.answer(request, &origin).await })
    }

    async fn answer(&self, mut request: Request, origin: &Origin) -> Result<Response, Fault> {
        request.check()?;
        let description = self.description();
        let found = find(description, &request.method(), &request.path());
        let (route, path_parameters) = match found {
            Err(Fault::MethodNotAllowed { allow }) if request.method() == "OPTIONS" => {
                return Ok(Response::empty(204).with_header("allow", &allow));
            }
            found => found?,
        };
        if route.kind == RouteKind::Socket && !is_upgrade(&request) {
            return Err(Fault::UpgradeRequired);
        }
        let offered = match route.kind {
            RouteKind::Socket => request.header(PROTOCOLS),
            RouteKind::Call => None,
        };
        let http = bind(route, path_parameters, &mut request).await?;
        if let Some(bytes) = route.max_body {
            request.limit_body(bytes);
        }
        // The body of a request counts as held until the turn is over, also if it was read for the
        // arguments.
        let (raw, _held) = match route.body {
            BodyUse::Raw => (Some(request), None),
            _ => (None, Some(request)),
        };
        let http = HttpArguments {
            request: raw,
            ..http
        };
        match self
            .turn(
                route.handler,
                Input::new(Source::Http(Box::new(http))),
                origin,
                route.name,
            )
            .await?
        {
            Reply::Response(response) => Ok(response),
            Reply::Accept(accepted) => self.accept(&accepted, offered.as_deref()),
            Reply::Value(_) if route.status == 204 => Ok(Response::empty(204)),
            Reply::Value(bytes) => {
                let json = message_pack::to_json(&bytes).map_err(|message| {
                    Fault::Undecodable(format!("the result has no form in JSON: {message}"))
                })?;
                Ok(Response::encoded_json(route.status, json))
            }
        }
    }

    fn accept(&self, accepted: &Accepted, offered: Option<&str>) -> Result<Response, Fault> {
        let refused = |error: SocketError| Fault::Overloaded(error.to_string());
        let (socket, upgrade) = self
            .state()
            .accept_socket(&accepted.tags, &accepted.attachment)
            .map_err(refused)?;
        for greeting in &accepted.greetings {
            match greeting {
                Message::Text(text) => socket.send_text(text).map_err(refused)?,
                Message::Binary(bytes) => socket.send_binary(bytes).map_err(refused)?,
            }
        }
        let protocol = offered.and_then(|offered| accepted.choose_protocol(offered));
        let protocol = protocol.map(|name| (PROTOCOLS.into(), name.to_owned().into()));
        Ok(Response {
            status: 101,
            headers: protocol.into_iter().collect(),
            body: Body::Upgrade(upgrade),
        })
    }

    pub(crate) fn socket_message(
        self: &Rc<Self>,
        socket: platform::Socket,
        message: Message,
    ) -> LocalFuture<'static, ()> {
        let handlers = &self.description().sockets;
        let handler = match &message {
            Message::Text(_) => handlers.text.or(handlers.json),
            Message::Binary(_) => handlers.binary.or(handlers.json),
        };
        self.socket_event(socket, handler, "message", SocketEvent::Message(message))
    }

    /// Handles the close of a socket. When the handler is done, the closing handshake that the peer
    /// began is completed, whatever the handler returned. If the handler closes the socket itself,
    /// its Close is sent instead. The platform does not answer automatically (P60).
    pub(crate) fn socket_close(
        self: &Rc<Self>,
        socket: platform::Socket,
        code: u16,
        reason: String,
        clean: bool,
    ) -> LocalFuture<'static, ()> {
        let event = SocketEvent::Close(CloseEvent {
            code,
            reason: reason.clone(),
            clean,
        });
        let handler = self.description().sockets.close;
        let handled = self.socket_event(socket.clone(), handler, "close", event);
        Box::pin(async move {
            handled.await;
            if clean {
                answer_close(&socket, code, &reason);
            }
        })
    }

    pub(crate) fn socket_error(
        self: &Rc<Self>,
        socket: platform::Socket,
        message: String,
    ) -> LocalFuture<'static, ()> {
        let event = SocketEvent::Error(SocketError::new(message));
        self.socket_event(socket, self.description().sockets.error, "error", event)
    }

    fn socket_event(
        self: &Rc<Self>,
        socket: platform::Socket,
        handler: Option<Handler>,
        name: &'static str,
        event: SocketEvent,
    ) -> LocalFuture<'static, ()> {
        let is_message = matches!(event, SocketEvent::Message(_));
        let Some(handler) = handler else {
            if is_message {
                tell(
                    &socket,
                    &Fault::BadRequest("this socket takes no such messages".to_owned()),
                );
            }
            return Box::pin(std::future::ready(()));
        };
        let this = self.clone();
        Box::pin(async move {
            let mut kept = Some(event);
            // A message may be large, and is not retried.
            while let Some(event) = if is_message {
                kept.take()
            } else {
                kept.clone()
            } {
                let input = Input::new(Source::Socket {
                    socket: socket.clone(),
                    event,
                });
                match this.turn(handler, input, &Origin::default(), name).await {
                    Ok(_) => {}
                    Err(fault) if is_message => tell(&socket, &fault),
                    // It waited too long for its turn. The end of a socket occurs only once, so it
                    // waits again. There are at most as many of these as the object has sockets.
                    Err(Fault::Overloaded(_)) => {
                        this.state().sleep(PAUSE).await;
                        continue;
                    }
                    Err(fault) => {
                        let (_, _, message) = fault.summary();
                        tracing::warn!(event = name, message, "a socket event's handler failed");
                    }
                }
                return;
            }
        })
    }
}

fn answer_close(socket: &platform::Socket, code: u16, reason: &str) {
    const NO_CODE: u16 = 1005;
    const PROTOCOL_ERROR: u16 = 1002;
    match code {
        NO_CODE => socket.answer_close(None, ""),
        code if may_be_sent(code) => socket.answer_close(Some(code), reason),
        _ => socket.answer_close(Some(PROTOCOL_ERROR), ""),
    }
}

/// A failed message does not close the socket (P59). Its sender is sent the error.
fn tell(socket: &platform::Socket, fault: &Fault) {
    let (_, code, message) = fault.summary();
    let text = serde_json::json!({ "type": "error", "code": code, "message": message }).to_string();
    // Fails if the sender has disconnected.
    let _ = socket.send_text(&text);
}

/// Returns `true` if a request asks for a WebSocket, which only a GET can (RFC 6455, section 4.1).
pub(crate) fn is_upgrade(request: &Request) -> bool {
    let offers = |protocols: String| {
        let mut protocols = protocols.split(',').map(str::trim);
        protocols.any(|protocol| protocol.eq_ignore_ascii_case("websocket"))
    };
    request.method() == "GET" && request.header("upgrade").is_some_and(offers)
}

type PathParameters = Vec<(&'static str, String)>;

/// Finds the most specific route of the class for a method and a path.
pub(crate) fn find(
    description: &'static Description,
    method: &str,
    path: &str,
) -> Result<(&'static Route, PathParameters), Fault> {
    // A HEAD is a GET whose body the server omits.
    let method = if method == "HEAD" { "GET" } else { method };
    let mut best: Option<(&'static Route, PathParameters)> = None;
    let mut allowed: Vec<&'static str> = Vec::new();
    for route in description.routes {
        let Some(parameters) = path::matches(route.path, path) else {
            continue;
        };
        if route.method != method {
            allowed.push(route.method);
            continue;
        }
        let closer = best
            .as_ref()
            .is_none_or(|(other, _)| path::specificity(route.path) < path::specificity(other.path));
        if closer {
            best = Some((route, parameters));
        }
    }
    match best {
        Some(found) => Ok(found),
        None if allowed.is_empty() => Err(Fault::NotFound(format!("no route for {method} {path}"))),
        None => Err(Fault::MethodNotAllowed {
            allow: methods::allow(&allowed),
        }),
    }
}

/// Returns the methods of the class's routes for a path.
pub(crate) fn methods(
    description: &'static Description,
    path: &str,
) -> impl Iterator<Item = &'static str> {
    let routes = description.routes.iter();
    routes
        .filter(move |route| path::matches(route.path, path).is_some())
        .map(|route| route.method)
}

/// Gathers the values of the route's arguments, and refuses fields that no argument takes.
async fn bind(
    route: &'static Route,
    path_parameters: PathParameters,
    request: &mut Request,
) -> Result<HttpArguments, Fault> {
    let mut text: Vec<_> = path_parameters
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    let from_query = matches!(route.method, "GET" | "DELETE");
    let query = route
        .query
        .is_some()
        .then(|| first_of_each_name(&request.query()));
    if from_query && query.is_none() && route.body != BodyUse::Raw {
        for (name, value) in path::query_pairs(&request.query()) {
            if !route.fields.contains(&name.as_str()) {
                return Err(unknown_field(&name, route));
            }
            if !text.iter().any(|(known, _)| *known == name) {
                text.push((name, value));
            }
        }
    }
    let body = match route.body {
        BodyUse::Raw => HttpBody::None,
        BodyUse::Whole => HttpBody::Whole(read_json(route, request).await?),
        BodyUse::Fields | BodyUse::None if from_query => HttpBody::None,
        BodyUse::Fields | BodyUse::None => fields(route, &read_json(route, request).await?)?,
    };
    Ok(HttpArguments {
        text,
        query,
        body,
        request: None,
    })
}

/// The first value of a name counts, as for arguments that are read by name.
fn first_of_each_name(query: &str) -> Vec<(String, String)> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for (name, value) in path::query_pairs(query) {
        if !pairs.iter().any(|(known, _)| *known == name) {
            pairs.push((name, value));
        }
    }
    pairs
}

fn fields(route: &'static Route, json: &[u8]) -> Result<HttpBody, Fault> {
    if json.is_empty() {
        return Ok(HttpBody::Fields(serde_json::Map::new()));
    }
    let fields: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(json).map_err(|error| {
            Fault::BadRequest(format!(
                "the body is not a JSON object{}: {error}",
                expected(route)
            ))
        })?;
    match fields
        .keys()
        .find(|name| !route.fields.contains(&name.as_str()))
    {
        Some(name) => Err(unknown_field(name, route)),
        None => Ok(HttpBody::Fields(fields)),
    }
}

fn unknown_field(name: &str, route: &Route) -> Fault {
    Fault::BadRequest(format!("unknown field `{name}`{}", expected(route)))
}

fn expected(route: &Route) -> String {
    match route.fields {
        [] => " (this route takes none)".to_owned(),
        fields => format!(" (this route takes `{}`)", fields.join("`, `")),
    }
}

/// Reads a body that binds to arguments.
async fn read_json(route: &Route, request: &mut Request) -> Result<Vec<u8>, Fault> {
    let content_type = request.header("content-type");
    let body = read_body(route, request).await?;
    match content_type {
        // An empty body binds to nothing, whatever its type.
        Some(content_type) if !body.is_empty() => content_type::check(&content_type, request)?,
        _ => {}
    }
    Ok(body)
}

async fn read_body(route: &Route, request: &mut Request) -> Result<Vec<u8>, Fault> {
    let limit = route.max_body.unwrap_or(MAX_JSON_BODY);
    let stated = request.header("content-length");
    let body = request.inner.bytes_within(limit).await?;
    body.ok_or_else(|| body_too_large(stated.as_deref(), limit))
}
