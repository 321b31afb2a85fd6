//! Requests and responses as seen by objects and the app.

pub(crate) mod content_type;
pub(crate) mod event;
pub(crate) mod methods;
pub(crate) mod origin;
pub(crate) mod path;
mod refusal;
pub(crate) mod stream;
mod streaming;
pub(crate) mod token;

use std::borrow::Cow;
use std::net::IpAddr;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::error::fault::Fault;
use crate::limits::body_too_large;
use crate::platform;
use stream::BodyStream;

/// An HTTP request.
pub struct Request {
    pub(crate) inner: platform::Request,
    /// Boxed, because requests are moved often and few of them have parameters.
    parameters: Option<Box<Parameters>>,
    /// The path has been normalised and has not changed since.
    has_normal_path: bool,
    /// The largest body that the route allows, in bytes.
    max_body: Option<usize>,
}

/// The values of the `{parameters}` in the path of the app's handler.
struct Parameters(Vec<(&'static str, String)>);

impl Request {
    pub(crate) fn received(inner: platform::Request) -> Self {
        Self {
            inner,
            parameters: None,
            has_normal_path: false,
            max_body: None,
        }
    }

    /// Creates a request to be sent. To call an object with [`Stub::fetch`](crate::Stub::fetch),
    /// give a path, such as `/notes?newest=10`. To call the outside world with
    /// [`Ctx::fetch`](crate::Ctx::fetch), give an absolute URL.
    #[must_use]
    pub fn new(method: &str, address: &str) -> Self {
        Self::received(platform::Request::new(method, address))
    }

    /// Sets a header. Replaces all its values.
    ///
    /// HTTP allows visible ASCII characters, spaces and tabs in a value. With any other value or
    /// name the header is removed, and sending the request fails with
    /// [`CallError::Configuration`](crate::CallError::Configuration). If a guard set it, the
    /// request is answered with 500. Encode other text, for example with percent signs.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        match header_value(name, value) {
            Ok(value) => self.inner.set_header(name, value),
            Err(message) => self.inner.refuse_header(name, message),
        }
        self
    }

    /// Normalises the path. Must be called before the request is read.
    ///
    /// # Errors
    /// The path has no normal form, or a header was set that cannot be sent.
    pub(crate) fn check(&mut self) -> Result<(), Fault> {
        if let Some(message) = self.inner.refused() {
            tracing::error!(message, "a request cannot be sent");
            return Err(Fault::Configuration(message.to_owned()));
        }
        if self.has_normal_path {
            return Ok(());
        }
        let changed = match path::normal_form(&self.inner.path()) {
            Ok(Cow::Borrowed(_)) => None,
            Ok(Cow::Owned(path)) => Some(path),
            Err(reason) => {
                return Err(Fault::BadRequest(format!(
                    "{reason}; resolve and percent-encode it before it is sent"
                )));
            }
        };
        if let Some(path) = changed {
            self.inner.set_path(&path);
        }
        self.has_normal_path = true;
        Ok(())
    }

    /// Sets the path to one that has not been checked.
    pub(crate) fn set_path(&mut self, path: &str) {
        self.inner.set_path(path);
        self.has_normal_path = false;
    }

    /// Sets a query parameter. Replaces all its values. With it a guard can overwrite a user name
    /// that the caller claimed with the authenticated one.
    ///
    /// ```
    /// # use anchorhold::Request;
    /// let request = Request::new("GET", "/ws?user=eve&since=7").with_query_value("user", "ann");
    /// assert_eq!(request.query(), "since=7&user=ann");
    /// ```
    #[must_use]
    pub fn with_query_value(mut self, name: &str, value: &str) -> Self {
        let query = crate::http::path::with_query_value(&self.query(), name, value);
        self.inner.set_query(&query);
        self
    }

    /// Removes a query parameter with all its values, such as a token for the guard that the
    /// object's route would refuse.
    ///
    /// ```
    /// # use anchorhold::Request;
    /// let request = Request::new("GET", "/ws?token=t&since=7").without_query_value("token");
    /// assert_eq!(request.query(), "since=7");
    /// ```
    #[must_use]
    pub fn without_query_value(mut self, name: &str) -> Self {
        let query = crate::http::path::query_without(&self.query(), name);
        self.inner.set_query(&query);
        self
    }

    /// Sets the body to bytes.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.inner.set_body(body.into());
        self
    }

    /// Sets the body to JSON, and the content type to match.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// # fn main() -> Result<(), Error> {
    /// let request = Request::new("POST", "/increment").with_json(&serde_json::json!({ "by": 2 }))?;
    /// assert_eq!(request.header("content-type").as_deref(), Some("application/json"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The value's `Serialize` implementation failed.
    pub fn with_json<T: Serialize + ?Sized>(self, value: &T) -> Result<Self, Error> {
        let body = serde_json::to_vec(value).map_err(|error| {
            Error::internal(format!("the body cannot be written as JSON: {error}"))
        })?;
        Ok(self
            .with_header("content-type", "application/json")
            .with_body(body))
    }

    /// Returns the method, in upper case.
    #[must_use]
    pub fn method(&self) -> Cow<'_, str> {
        self.inner.method()
    }

    /// Returns the percent-encoded path. In an object's handler it is the part after the mount
    /// point.
    ///
    /// A received path is in the normal form that routes match: characters that need no encoding
    /// are decoded. A path is answered with 400 if it has an unencoded backslash or control
    /// character, or a segment `.` or `..` in any spelling. Encoded, `%5c` and `%0a` are part of a
    /// name. An empty segment is kept: `//a` is not `/a`.
    #[must_use]
    pub fn path(&self) -> Cow<'_, str> {
        self.inner.path()
    }

    /// Returns the query string without its `?`. It is empty if there is none.
    #[must_use]
    pub fn query(&self) -> Cow<'_, str> {
        self.inner.query()
    }

    /// Returns the decoded value of a `{parameter}` in the path of an app's handler. Returns `None`
    /// if the path has no parameter of this name. The routes of objects bind theirs to arguments.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// async fn greet(request: Request, _: Env) -> Result<Response, Error> {
    ///     let name = request.path_value("name").unwrap_or_default();
    ///     Ok(Response::text(200, format!("Hello, {name}")))
    /// }
    ///
    /// # fn app() -> App {
    /// App::new().get("/greetings/{name}", greet)
    /// # }
    /// # fn main() {}
    /// ```
    #[must_use]
    pub fn path_value(&self, name: &str) -> Option<&str> {
        let Parameters(parameters) = self.parameters.as_deref()?;
        let mut parameters = parameters.iter();
        parameters
            .find(|(parameter, _)| *parameter == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn set_path_values(&mut self, values: Vec<(&'static str, String)>) {
        self.parameters = (!values.is_empty()).then(|| Box::new(Parameters(values)));
    }

    /// Returns the first value of a query parameter, decoded.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// let request = Request::new("GET", "/notes?tag=a%20b&limit=5");
    /// assert_eq!(request.query_value("tag").as_deref(), Some("a b"));
    /// assert_eq!(request.query_value("author"), None);
    /// ```
    #[must_use]
    pub fn query_value(&self, name: &str) -> Option<String> {
        crate::http::path::query_pairs(&self.query())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }

    /// Returns the value of a header. Several values of one name are joined by commas.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        self.inner.header(name)
    }

    /// Returns the first value of a cookie, as the client sent it.
    ///
    /// ```
    /// # use anchorhold::Request;
    /// let request = Request::new("GET", "/").with_header("cookie", "theme=dark; session=s7");
    /// assert_eq!(request.cookie("session").as_deref(), Some("s7"));
    /// ```
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<String> {
        let cookies = self.header("cookie")?;
        cookies.split(';').find_map(|cookie| {
            let (key, value) = cookie.trim().split_once('=')?;
            (key == name).then(|| value.to_owned())
        })
    }

    /// Returns the IP address of the client, which a client cannot choose. An IPv6 address that
    /// stands for an IPv4 one is returned as the latter. Returns `None` for a request that was
    /// created by [`Request::new`].
    ///
    /// On Cloudflare it is the address in `CF-Connecting-IP`. On the embedded host it is the peer
    /// of the connection. If that is a proxy given by `--trusted-proxy`, it is the last address in
    /// `X-Forwarded-For` that is not a trusted proxy's. Rate limits should use
    /// [`client_network`](Self::client_network).
    #[must_use]
    pub fn client_address(&self) -> Option<IpAddr> {
        self.inner.client_address()
    }

    /// Returns the network of the client, which suits as the key of a rate limit: the
    /// [address](Self::client_address) of IPv4, or the first 64 bits of an IPv6 address, because one
    /// client usually has that whole network.
    #[must_use]
    pub fn client_network(&self) -> Option<IpAddr> {
        Some(match self.client_address()? {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => IpAddr::V6((address.to_bits() & (u128::MAX << 64)).into()),
        })
    }

    /// Reads the whole body. The embedded host allows at most 1 MiB. A route with `max_body` states
    /// another limit, which applies on both hosts.
    ///
    /// # Errors
    /// 413 if the body is over the limit, 408 if it stops arriving for 30 s, and another error if
    /// the connection broke.
    pub async fn bytes(&mut self) -> Result<Vec<u8>, Error> {
        let limit = self.max_body.unwrap_or(platform::MAX_BODY);
        let stated = self.header("content-length");
        let body = self
            .inner
            .bytes_within(limit)
            .await
            .map_err(Fault::into_error)?;
        body.ok_or_else(|| body_too_large(stated.as_deref(), limit).into_error())
    }

    /// States the largest body that may be read.
    pub(crate) fn limit_body(&mut self, bytes: usize) {
        self.max_body = Some(bytes);
    }

    /// Reads the body as JSON.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// #[derive(serde::Deserialize)]
    /// struct Order {
    ///     item: String,
    /// }
    ///
    /// async fn order(mut request: Request, _: Env) -> Result<Response, Error> {
    ///     let Order { item } = request.json().await?;
    ///     Ok(Response::text(201, format!("ordered: {item}")))
    /// }
    /// ```
    ///
    /// # Errors
    /// 400 if it does not fit `T`.
    pub async fn json<T: DeserializeOwned>(&mut self) -> Result<T, Error> {
        let bytes = self.bytes().await?;
        serde_json::from_slice(&bytes)
            .map_err(|error| Error::bad_request("bad_request", format!("invalid body: {error}")))
    }
}

/// The largest streaming response that a stub's `fetch` reads, in bytes.
const MAX_GATHERED: usize = 32 * 1024 * 1024;
const CONTENT_TYPE: &str = "content-type";

/// Name and value.
pub(crate) type Header = (Cow<'static, str>, Cow<'static, str>);

/// An HTTP response.
pub struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<Header>,
    pub(crate) body: Body,
}

/// The content of a response.
pub(crate) enum Body {
    Empty,
    Bytes(Vec<u8>),
    /// Chunks that are produced after the head was sent.
    Stream(BodyStream),
    /// The peer's end of an accepted socket.
    Upgrade(platform::Upgrade),
    /// A response of the platform, passed through unchanged.
    #[allow(dead_code, reason = "made by the platforms that have them")]
    Raw(platform::RawResponse),
}

impl Response {
    /// Creates an empty response.
    #[must_use]
    pub fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Body::Empty,
        }
    }

    /// Creates a response of plain text in UTF-8.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// let response = Response::text(200, "ok").with_header("cache-control", "no-store");
    /// assert_eq!(response.status(), 200);
    /// assert_eq!(response.body(), Some(b"ok".as_slice()));
    /// ```
    #[must_use]
    pub fn text(status: u16, text: impl Into<String>) -> Self {
        Self::bytes(
            status,
            "text/plain; charset=utf-8",
            text.into().into_bytes(),
        )
    }

    /// Creates a response of an HTML page in UTF-8.
    #[must_use]
    pub fn html(status: u16, html: impl Into<String>) -> Self {
        Self::bytes(status, "text/html; charset=utf-8", html.into().into_bytes())
    }

    /// Creates a response of bytes with the given content type.
    #[must_use]
    pub fn bytes(status: u16, content_type: &'static str, bytes: Vec<u8>) -> Self {
        Self::of_any_type(status, content_type, Body::Bytes(bytes))
    }

    fn of_any_type(status: u16, content_type: &'static str, body: Body) -> Self {
        match sendable(CONTENT_TYPE, content_type) {
            Ok(content_type) => Self::of_type(status, content_type, body),
            Err(message) => Self::unsendable(&message),
        }
    }

    /// Creates a response of a value that is already encoded as JSON.
    pub(crate) fn encoded_json(status: u16, json: Vec<u8>) -> Self {
        Self::of_type(status, "application/json", Body::Bytes(json))
    }

    fn of_type(status: u16, content_type: &'static str, body: Body) -> Self {
        Self {
            status,
            headers: vec![(Cow::Borrowed(CONTENT_TYPE), Cow::Borrowed(content_type))],
            body,
        }
    }

    /// The response in place of one that HTTP cannot carry.
    fn unsendable(message: &str) -> Self {
        tracing::error!(message, "a response cannot be sent");
        Self::error(500, "configuration", message)
    }

    /// Returns the response as both hosts send it. A status that no handler may answer with becomes
    /// a 500, and the body is dropped for statuses that have none.
    pub(crate) fn checked(mut self) -> Self {
        match (self.status, &self.body) {
            (101, Body::Upgrade(_)) => {}
            // The handshake of a socket that another object accepted, passed through.
            (101, Body::Raw(_)) => {}
            (204 | 205 | 304, Body::Bytes(_) | Body::Stream(_)) => self.body = Body::Empty,
            (200..=599, _) => {}
            (status, _) => {
                return Self::unsendable(&format!(
                    "a handler answered with the status {status}; it must be 200 to 599"
                ));
            }
        }
        self
    }

    /// Creates a response of a value as JSON.
    ///
    /// # Errors
    /// The value's `Serialize` implementation failed.
    pub fn json<T: Serialize + ?Sized>(status: u16, value: &T) -> Result<Self, Error> {
        let bytes = serde_json::to_vec(value).map_err(|error| {
            Error::internal(format!("the response cannot be written as JSON: {error}"))
        })?;
        Ok(Self::encoded_json(status, bytes))
    }

    /// Reads a body that is still on its way, so that it can be read like any other.
    pub(crate) async fn gathered(mut self) -> Result<Self, Fault> {
        if let Body::Stream(stream) = &mut self.body {
            self.body = Body::Bytes(stream.gather(MAX_GATHERED).await?);
        }
        // A handshake has no body, and the platform's response holds the peer's end of the socket.
        if self.status != 101
            && let Body::Raw(raw) = &self.body
        {
            self.body = Body::Bytes(raw.bytes().await?);
        }
        Ok(self)
    }

    pub(crate) fn error(status: u16, code: &str, message: &str) -> Self {
        let body = serde_json::json!({ "error": { "code": code, "message": message } });
        Self::encoded_json(status, body.to_string().into_bytes())
    }

    /// Adds a header. `content-type` replaces the existing one. The host sets the headers for the
    /// length and the framing of the body.
    ///
    /// HTTP allows visible ASCII characters, spaces and tabs in a value. With any other value or
    /// name the whole response becomes a 500 that names the header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        match header_value(name, value) {
            Ok(value) => {
                let name = name.to_ascii_lowercase();
                if name == CONTENT_TYPE {
                    // A body has one type, and the hosts would handle two in different ways.
                    self.headers.retain(|(known, _)| known != CONTENT_TYPE);
                }
                self.headers
                    .push((Cow::Owned(name), Cow::Owned(value.to_owned())));
                self
            }
            Err(message) => Self::unsendable(&message),
        }
    }

    /// Returns the status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Returns the first value of a header. Names are compared without case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_ref())
    }

    /// Returns the body, if it consists of bytes or is empty. Returns `None` for a stream and for a
    /// response passed through from elsewhere.
    #[must_use]
    pub fn body(&self) -> Option<&[u8]> {
        match &self.body {
            Body::Empty => Some(&[]),
            Body::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Reads the body as JSON.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// # async fn example(ctx: &Ctx) -> Result<(), Error> {
    /// let answer = ctx.fetch(Request::new("GET", "https://example.com/rates.json")).await?;
    /// let rates: std::collections::BTreeMap<String, f64> = answer.read_json()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The body does not consist of bytes, or it does not fit `T`.
    pub fn read_json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let bytes = self.body().unwrap_or_default();
        serde_json::from_slice(bytes)
            .map_err(|error| Error::internal(format!("invalid response: {error}")))
    }
}

/// Returns the value as it is sent.
pub(crate) fn header_value<'a>(name: &str, value: &'a str) -> Result<&'a str, String> {
    if !token::is_token(name) {
        return Err(format!(
            "`{}` is not the name of a header: use letters, digits and `-`",
            name.escape_debug()
        ));
    }
    sendable(name, value)
}

/// Returns the value as it is sent. HTTP allows non-ASCII characters as bytes without a meaning,
/// and the hosts would send different bytes for them.
fn sendable<'a>(name: &str, value: &'a str) -> Result<&'a str, String> {
    let is_allowed = |byte: u8| matches!(byte, b' '..=b'~' | b'\t');
    if !value.bytes().all(is_allowed) {
        return Err(format!(
            "the value of the header `{name}` has a character that HTTP does not allow: use visible ASCII characters, or percent-encode it"
        ));
    }
    Ok(value.trim_matches([' ', '\t']))
}
