//! HTTP requests as the embedded host has them: read whole, owned, free to cross threads.

use std::borrow::Cow;

use hyper::body::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;

use crate::error::Error;

pub(crate) struct Request {
    method: Cow<'static, str>,
    path: String,
    query: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Request {
    pub(crate) fn new(method: &str, path_and_query: &str) -> Self {
        let (path, query) = path_and_query
            .split_once('?')
            .unwrap_or((path_and_query, ""));
        Self {
            method: Cow::Owned(method.to_ascii_uppercase()),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }

    pub(super) fn received(parts: &mut Parts, body: Bytes) -> Self {
        Self {
            method: method_name(&parts.method),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: std::mem::take(&mut parts.headers),
            body,
        }
    }

    /// What the request weighs in a mailbox.
    pub(super) fn size(&self) -> usize {
        self.path.len() + self.query.len() + self.body.len()
    }

    /// A name or value that HTTP does not allow is left out, as in a response.
    pub(crate) fn set_header(&mut self, name: &str, value: &str) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
            self.headers.insert(name, value);
        }
    }

    pub(crate) fn set_body(&mut self, body: Vec<u8>) {
        // What was stated of the body that came is not true of this one.
        self.headers.remove(hyper::header::CONTENT_LENGTH);
        self.body = Bytes::from(body);
    }

    pub(crate) fn set_path(&mut self, path: &str) {
        path.clone_into(&mut self.path);
    }

    pub(crate) fn set_query(&mut self, query: &str) {
        query.clone_into(&mut self.query);
    }

    pub(crate) fn method(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.method)
    }

    pub(crate) fn path(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.path)
    }

    pub(crate) fn query(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.query)
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let mut values = self
            .headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok());
        let first = values.next()?.to_owned();
        Some(values.fold(first, |joined, value| joined + ", " + value))
    }

    #[expect(
        clippy::unused_async,
        reason = "on Cloudflare the body is still on its way"
    )]
    pub(crate) async fn bytes(&mut self) -> Result<Vec<u8>, Error> {
        Ok(std::mem::take(&mut self.body).into())
    }
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
