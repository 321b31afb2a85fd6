//! HTTP requests of the embedded host: owned, and able to move between threads.

use std::borrow::Cow;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;

use hyper::body::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use url::Url;

use super::incoming::Incoming;
use crate::error::fault::Fault;
use crate::limits::MAX_JSON_BODY;

/// The largest body that is read where no route states its limit, in bytes.
pub(crate) const MAX_BODY: usize = MAX_JSON_BODY;

pub(crate) struct Request {
    method: Cow<'static, str>,
    /// The part after the origin, for a request to the outside world.
    path: Box<str>,
    /// How much of `path` is scheme and authority. Zero in a request to an object.
    origin: usize,
    query: Box<str>,
    headers: HeaderMap,
    client_address: Option<IpAddr>,
    refused: Option<Box<Refused>>,
    body: Bytes,
    /// A body that is still on its way. `body` is then empty.
    incoming: Option<Box<Incoming>>,
}

/// Hashes everything that is sent.
impl Hash for Request {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self {
            method,
            path,
            origin: _,
            query,
            headers,
            client_address,
            refused: _,
            body,
            incoming: _,
        } = self;
        (method, path, query, client_address, body).hash(state);
        for (name, value) in headers {
            (name, value).hash(state);
        }
    }
}

/// A header that was set and cannot be sent.
#[derive(Clone)]
struct Refused {
    message: String,
}

impl Request {
    pub(crate) fn new(method: &str, address: &str) -> Self {
        // A fragment is only for the client and is not sent.
        let address = address.split('#').next().unwrap_or_default();
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        let origin = length_of_origin(path);
        let path = if origin == 0 && !path.starts_with('/') {
            format!("/{path}").into()
        } else {
            path.into()
        };
        Self {
            method: Cow::Owned(method.to_ascii_uppercase()),
            path,
            origin,
            query: query.into(),
            headers: HeaderMap::new(),
            client_address: None,
            refused: None,
            body: Bytes::new(),
            incoming: None,
        }
    }

    pub(in super::super) fn received(parts: &mut Parts) -> Self {
        Self {
            method: method_name(&parts.method),
            path: parts.uri.path().into(),
            origin: 0,
            query: parts.uri.query().unwrap_or_default().into(),
            headers: std::mem::take(&mut parts.headers),
            client_address: None,
            refused: None,
            body: Bytes::new(),
            incoming: None,
        }
    }

    pub(in super::super) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    pub(in super::super) fn set_client_address(&mut self, address: IpAddr) {
        self.client_address = Some(address);
    }

    /// Continues as if no other protocol had been offered.
    pub(in super::super) fn ignore_upgrade(&mut self) {
        self.headers.remove(hyper::header::UPGRADE);
    }

    pub(in super::super) fn receive_body(&mut self, body: Bytes) {
        self.body = body;
    }

    /// Takes over a body that is still on its way.
    pub(in super::super) fn await_body(&mut self, incoming: Incoming) {
        self.incoming = Some(Box::new(incoming));
    }

    /// Returns the request as it may be sent a second time. A body that is on its way is not.
    pub(in super::super) fn repeated(&self) -> Self {
        Self {
            method: self.method.clone(),
            path: self.path.clone(),
            origin: self.origin,
            query: self.query.clone(),
            headers: self.headers.clone(),
            refused: self.refused.clone(),
            body: self.body.clone(),
            incoming: None,
            client_address: self.client_address,
        }
    }

    /// The size of the request in a mailbox.
    pub(in super::super) fn size(&self) -> usize {
        self.path.len() + self.query.len() + self.body.len()
    }

    pub(in super::super) fn check_address(&self) -> Result<(), Fault> {
        match self.path[..self.origin].split_once("://") {
            Some(("http" | "https", authority)) if !authority.is_empty() => Ok(()),
            _ => Err(Fault::Configuration(format!(
                "`{}` is not an absolute URL; use for example \"https://example.com/path\"",
                self.path
            ))),
        }
    }

    /// Returns the request as it is sent.
    pub(in super::super) fn into_outgoing(self) -> Result<hyper::Request<Bytes>, Fault> {
        self.check_address()?;
        let address = if self.query.is_empty() {
            self.path.into_string()
        } else {
            format!("{}?{}", self.path, self.query)
        };
        // Encoded where necessary, as a browser does.
        let address = Url::parse(&address)
            .map_err(|error| Fault::Configuration(format!("`{address}`: {error}")))?;
        let mut request = hyper::Request::builder()
            .method(&*self.method)
            .uri(address.as_str())
            .body(self.body)
            .map_err(|error| Fault::Configuration(format!("`{address}`: {error}")))?;
        *request.headers_mut() = self.headers;
        Ok(request)
    }

    /// Sets a header that was found valid.
    pub(crate) fn set_header(&mut self, name: &str, value: &str) {
        match (HeaderName::try_from(name), HeaderValue::from_str(value)) {
            (Ok(name), Ok(value)) => drop(self.headers.insert(name, value)),
            _ => self.refuse_header(name, format!("the header `{name}` cannot be sent")),
        }
    }

    /// Removes a header, and records why the request cannot be sent.
    pub(crate) fn refuse_header(&mut self, name: &str, message: String) {
        self.headers.remove(name);
        self.refused
            .get_or_insert_with(|| Box::new(Refused { message }));
    }

    /// Why the request cannot be sent, if it cannot.
    pub(crate) fn refused(&self) -> Option<&str> {
        self.refused
            .as_ref()
            .map(|refused| refused.message.as_str())
    }

    pub(crate) fn set_body(&mut self, body: Vec<u8>) {
        // The stated length of the received body does not apply to this one.
        self.headers.remove(hyper::header::CONTENT_LENGTH);
        self.body = Bytes::from(body);
        self.incoming = None;
    }

    pub(crate) fn set_path(&mut self, path: &str) {
        self.path = match &self.path[..self.origin] {
            "" => path.into(),
            origin => format!("{origin}{path}").into(),
        };
    }

    pub(crate) fn set_query(&mut self, query: &str) {
        self.query = query.into();
    }

    pub(crate) fn method(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.method)
    }

    pub(crate) fn path(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.path[self.origin..])
    }

    pub(crate) fn query(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.query)
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        // A value that is not ASCII is included, so that a guard which checks for the header finds
        // it.
        let mut values = self
            .headers
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()));
        // HTTP/2 may carry the cookies in several headers (RFC 9113, section 8.2.3).
        let separator = if name.eq_ignore_ascii_case("cookie") {
            "; "
        } else {
            ", "
        };
        let first = values.next()?.into_owned();
        Some(values.fold(first, |joined, value| joined + separator + &value))
    }

    /// Returns the address of the client. Returns `None` for a request that was created here.
    pub(crate) fn client_address(&self) -> Option<IpAddr> {
        self.client_address
    }

    /// Returns the body, or `None` if it is larger than `limit`.
    pub(crate) async fn bytes_within(&mut self, limit: usize) -> Result<Option<Vec<u8>>, Fault> {
        match &mut self.incoming {
            Some(incoming) => incoming.gather(limit).await,
            None => Ok(Some(self.take_whole().into()).filter(|body: &Vec<u8>| body.len() <= limit)),
        }
    }

    /// Returns the body if it is there already.
    pub(crate) fn take_whole(&mut self) -> Bytes {
        std::mem::take(&mut self.body)
    }

    /// Returns the body if it is still on its way.
    pub(crate) fn take_incoming(&mut self) -> Option<Incoming> {
        self.incoming.take().map(|incoming| *incoming)
    }
}

/// How much of `https://example.com/path` precedes the path. Zero for a path alone.
fn length_of_origin(address: &str) -> usize {
    let scheme = address
        .find("://")
        .filter(|at| !address[..*at].contains('/'));
    scheme.map_or(0, |at| {
        let authority = at + "://".len();
        address[authority..]
            .find('/')
            .map_or(address.len(), |end| authority + end)
    })
}

fn method_name(method: &hyper::Method) -> Cow<'static, str> {
    match method.as_str() {
        "GET" => Cow::Borrowed("GET"),
        "POST" => Cow::Borrowed("POST"),
        "PUT" => Cow::Borrowed("PUT"),
        "PATCH" => Cow::Borrowed("PATCH"),
        "DELETE" => Cow::Borrowed("DELETE"),
        "HEAD" => Cow::Borrowed("HEAD"),
        other => Cow::Owned(other.to_owned()),
    }
}
