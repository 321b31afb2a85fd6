//! Requests: either the platform's own, read as little as possible, or made here.

use std::borrow::Cow;
use std::net::IpAddr;
use std::ops::Range;

use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use super::super::js::bindings;
use super::super::js::failure::message_of;
use super::incoming::Incoming;
use crate::codec::message_pack;
use crate::error::Error;
use crate::error::fault::Fault;
use crate::turn::chain::CallChain;

/// The host in the address of requests to objects. It is not resolved: the stub is the address.
const ORIGIN: &str = "http://object";

/// An HTTP request.
pub(crate) struct Request {
    /// The platform's own request, whose body has not been read.
    base: Option<bindings::Request>,
    method: String,
    url: String,
    path: Range<usize>,
    chain: Option<String>,
    headers: Vec<(String, String)>,
    /// The name of a header that was set but cannot be sent, and the reason.
    refused: Option<(String, String)>,
    body: Option<Vec<u8>>,
}

impl Request {
    pub(crate) fn new(method: &str, address: &str) -> Self {
        let url = if is_whole(address) {
            address.to_owned()
        } else if address.starts_with('/') {
            format!("{ORIGIN}{address}")
        } else {
            format!("{ORIGIN}/{address}")
        };
        Self::from_parts(None, method.to_ascii_uppercase(), url, None)
    }

    /// The platform's own request, with its method and address in one `line`, and what a stub sent
    /// along.
    pub(in super::super) fn received(
        base: bindings::Request,
        line: &str,
        chain: Option<String>,
    ) -> Self {
        let (method, url) = line.split_once(' ').unwrap_or((line, "/"));
        Self::from_parts(Some(base), method.to_owned(), url.to_owned(), chain)
    }

    fn from_parts(
        base: Option<bindings::Request>,
        method: String,
        url: String,
        chain: Option<String>,
    ) -> Self {
        let path = path_range(&url);
        Self {
            base,
            method,
            url,
            path,
            chain,
            headers: Vec::new(),
            refused: None,
            body: None,
        }
    }

    pub(in super::super) fn raw(&self) -> Option<&bindings::Request> {
        self.base.as_ref()
    }

    /// Returns the address with another path.
    pub(in super::super) fn url_with_path(&self, path: &str) -> String {
        let (before, after) = (&self.url[..self.path.start], &self.url[self.path.end..]);
        format!("{before}{path}{after}")
    }

    /// Returns the chain of the stub that sent this, or `None` if no stub did.
    pub(in super::super) fn chain(&self) -> Option<CallChain> {
        let hex = self.chain.as_deref()?;
        // A chain that cannot be decoded comes from another version of this crate.
        Some(
            from_hex(hex)
                .and_then(|bytes| message_pack::decode(&bytes).ok())
                .unwrap_or_default(),
        )
    }

    /// Converts to the platform's form, for the outside world.
    pub(super) fn to_outgoing(&self) -> Result<bindings::Request, Fault> {
        if &self.url[..self.path.start] == ORIGIN {
            return Err(Fault::Configuration(format!(
                "`{}` is not an absolute URL; use for example \"https://example.com/path\"",
                self.path()
            )));
        }
        bindings::make_request(
            self.base.as_ref(),
            &self.method,
            &self.url,
            self.flat_headers(),
            self.body.as_deref(),
        )
        .map_err(|error| Fault::Configuration(message_of(&error)))
    }

    fn flat_headers(&self) -> Vec<String> {
        self.headers
            .iter()
            .flat_map(|(name, value)| [name.clone(), value.clone()])
            .collect()
    }

    /// Converts to the platform's form, for a stub. Borrows the body of the request it came from.
    pub(super) fn to_js(&self, chain: &CallChain) -> Result<JsValue, Fault> {
        let chain = if chain.links.is_empty() {
            None
        } else {
            Some(to_hex(
                &message_pack::encode(chain).map_err(Fault::Undecodable)?,
            ))
        };
        bindings::make_request_of_turns(
            self.base.as_ref(),
            &self.method,
            &self.url,
            self.flat_headers(),
            self.body.as_deref(),
            chain.as_deref(),
        )
        .map(Into::into)
        .map_err(|error| Fault::BadRequest(message_of(&error)))
    }

    pub(crate) fn set_header(&mut self, name: &str, value: &str) {
        self.headers
            .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    /// Removes a header, and records why the request cannot be sent.
    pub(crate) fn refuse_header(&mut self, name: &str, message: String) {
        self.headers
            .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.refused.get_or_insert((name.to_owned(), message));
    }

    /// Why the request cannot be sent, if it cannot.
    pub(crate) fn refused(&self) -> Option<&str> {
        self.refused.as_ref().map(|(_, message)| message.as_str())
    }

    pub(crate) fn set_body(&mut self, body: Vec<u8>) {
        self.body = Some(body);
    }

    pub(crate) fn set_path(&mut self, path: &str) {
        let path = path.to_owned();
        self.url.replace_range(self.path.clone(), &path);
        self.path.end = self.path.start + path.len();
    }

    pub(crate) fn set_query(&mut self, query: &str) {
        self.url.truncate(self.path.end);
        if !query.is_empty() {
            self.url.push('?');
            self.url.push_str(query);
        }
    }

    pub(crate) fn method(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.method)
    }

    pub(crate) fn path(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.url[self.path.clone()])
    }

    pub(crate) fn query(&self) -> Cow<'_, str> {
        let rest = &self.url[self.path.end..];
        let query = rest.split('#').next().unwrap_or_default();
        Cow::Borrowed(query.strip_prefix('?').unwrap_or(query))
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        if let Some((_, value)) = self
            .headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
        {
            return Some(value.clone());
        }
        if let Some((refused, _)) = &self.refused
            && refused.eq_ignore_ascii_case(name)
        {
            return None;
        }
        self.base.as_ref()?.headers().get(name).ok().flatten()
    }

    /// Returns the address of the client, which Cloudflare states in a header. It replaces what a
    /// client sends.
    pub(crate) fn client_address(&self) -> Option<IpAddr> {
        let address: IpAddr = self.header("cf-connecting-ip")?.parse().ok()?;
        Some(address.to_canonical())
    }

    /// Reads the body. Returns `None` if it is larger than `limit`.
    pub(crate) async fn bytes_within(&mut self, limit: usize) -> Result<Option<Vec<u8>>, Fault> {
        if let Some(body) = self.body.take() {
            return Ok(Some(body).filter(|body| body.len() <= limit));
        }
        let Some(base) = &self.base else {
            return Ok(Some(Vec::new()));
        };
        let limit = u32::try_from(limit).ok().filter(|limit| *limit < u32::MAX);
        let failed = |error: JsValue| unreadable(&error);
        let read = JsFuture::from(bindings::read_body(base, limit).map_err(failed)?)
            .await
            .map_err(failed)?;
        Ok((!read.is_undefined()).then(|| Uint8Array::new(&read).to_vec()))
    }

    /// Returns the body if it was read or set.
    pub(crate) fn take_whole(&mut self) -> Vec<u8> {
        self.body.take().unwrap_or_default()
    }

    /// Returns the body if it is still on its way.
    pub(crate) fn take_incoming(&mut self) -> Option<Incoming> {
        if self.body.is_some() {
            return None;
        }
        let body = self.base.as_deref().map(Incoming::of)?;
        // A body that was read already has no reader.
        body.ok().flatten()
    }
}

/// The largest body that is read where no route states its limit: the platform's own.
pub(crate) const MAX_BODY: usize = usize::MAX;

fn unreadable(error: &JsValue) -> Fault {
    Fault::application(&Error::bad_request("body_unreadable", message_of(error)))
}

/// Whether an address has a scheme and is more than a path.
fn is_whole(address: &str) -> bool {
    address
        .find("://")
        .is_some_and(|at| !address[..at].contains('/'))
}

fn path_range(url: &str) -> Range<usize> {
    let authority = url.find("://").map_or(0, |scheme| scheme + 3);
    let start = url[authority..]
        .find(['/', '?', '#'])
        .map_or(url.len(), |at| authority + at);
    let end = url[start..]
        .find(['?', '#'])
        .map_or(url.len(), |at| start + at);
    start..end
}

fn to_hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
            // Writing to a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

fn from_hex(hex: &str) -> Option<Vec<u8>> {
    hex.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}
