//! Requests and responses as objects and the app see them.

use std::borrow::Cow;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::platform;

/// An HTTP request.
pub struct Request {
    pub(crate) inner: platform::Request,
}

impl Request {
    /// A request to be sent: with a path, such as `/notes?newest=10`, to an object by
    /// [`Stub::fetch`](crate::Stub::fetch); with a whole address to the outside world by
    /// [`Ctx::fetch`](crate::Ctx::fetch).
    #[must_use]
    pub fn new(method: &str, address: &str) -> Self {
        Self {
            inner: platform::Request::new(method, address),
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.inner.set_header(name, value);
        self
    }

    /// Sets a query parameter, in place of all the values that it has: a guard puts the
    /// authenticated user where the caller only claimed one.
    ///
    /// ```
    /// # use anchorhold::Request;
    /// let request = Request::new("GET", "/ws?user=eve&since=7").with_query_value("user", "ann");
    /// assert_eq!(request.query(), "since=7&user=ann");
    /// ```
    #[must_use]
    pub fn with_query_value(mut self, name: &str, value: &str) -> Self {
        let query = crate::route::with_query_value(&self.query(), name, value);
        self.inner.set_query(&query);
        self
    }

    /// Takes a query parameter out, with all the values that it has: such as a token that was meant
    /// for the guard, where the object's route would refuse it.
    ///
    /// ```
    /// # use anchorhold::Request;
    /// let request = Request::new("GET", "/ws?token=t&since=7").without_query_value("token");
    /// assert_eq!(request.query(), "since=7");
    /// ```
    #[must_use]
    pub fn without_query_value(mut self, name: &str) -> Self {
        let query = crate::route::query_without(&self.query(), name);
        self.inner.set_query(&query);
        self
    }

    /// Sets the body to bytes.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.inner.set_body(body.into());
        self
    }

    /// Sets the body to JSON and the content type with it.
    ///
    /// # Errors
    /// The value's own `Serialize` implementation refused.
    pub fn with_json<T: Serialize + ?Sized>(self, value: &T) -> Result<Self, Error> {
        let body = serde_json::to_vec(value).map_err(|error| {
            Error::internal(format!("the body cannot be written as JSON: {error}"))
        })?;
        Ok(self
            .with_header("content-type", "application/json")
            .with_body(body))
    }

    /// The method, in capitals.
    #[must_use]
    pub fn method(&self) -> Cow<'_, str> {
        self.inner.method()
    }

    /// The path, as sent (percent-encoded); in an object's handler, what follows the mount point.
    #[must_use]
    pub fn path(&self) -> Cow<'_, str> {
        self.inner.path()
    }

    /// The query string without its `?`; empty if there is none.
    #[must_use]
    pub fn query(&self) -> Cow<'_, str> {
        self.inner.query()
    }

    /// The first value of a query parameter, decoded.
    #[must_use]
    pub fn query_value(&self, name: &str) -> Option<String> {
        crate::route::query_pairs(&self.query())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }

    /// The value of a header; several values of one name are joined by commas.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        self.inner.header(name)
    }

    /// The whole body. The embedded host has read it already and refuses bodies over 1 MiB with 413
    /// before the object is reached.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn bytes(&mut self) -> Result<Vec<u8>, Error> {
        self.inner.bytes().await
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// 400 if it does not fit `T`.
    pub async fn json<T: DeserializeOwned>(&mut self) -> Result<T, Error> {
        let bytes = self.bytes().await?;
        serde_json::from_slice(&bytes).map_err(|error| {
            Error::bad_request("bad_request", format!("the body does not fit: {error}"))
        })
    }
}

/// An HTTP response.
pub struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    pub(crate) body: Body,
}

/// What a response carries.
pub(crate) enum Body {
    Empty,
    Bytes(Vec<u8>),
    /// The other end of an accepted socket.
    Upgrade(platform::Upgrade),
    /// A response of the platform's own, passed through untouched.
    #[cfg(target_arch = "wasm32")]
    Raw(platform::RawResponse),
}

impl Response {
    /// An empty response.
    #[must_use]
    pub fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Body::Empty,
        }
    }

    /// Plain text in UTF-8.
    #[must_use]
    pub fn text(status: u16, text: impl Into<String>) -> Self {
        Self::bytes(
            status,
            "text/plain; charset=utf-8",
            text.into().into_bytes(),
        )
    }

    /// An HTML page in UTF-8.
    #[must_use]
    pub fn html(status: u16, html: impl Into<String>) -> Self {
        Self::bytes(status, "text/html; charset=utf-8", html.into().into_bytes())
    }

    /// Bytes of a stated type.
    #[must_use]
    pub fn bytes(status: u16, content_type: &'static str, bytes: Vec<u8>) -> Self {
        Self {
            status,
            headers: vec![(Cow::Borrowed("content-type"), Cow::Borrowed(content_type))],
            body: Body::Bytes(bytes),
        }
    }

    /// A value as JSON.
    ///
    /// # Errors
    /// The value's own `Serialize` implementation refused.
    pub fn json<T: Serialize + ?Sized>(status: u16, value: &T) -> Result<Self, Error> {
        let bytes = serde_json::to_vec(value).map_err(|error| {
            Error::internal(format!("the answer cannot be written as JSON: {error}"))
        })?;
        Ok(Self::bytes(status, "application/json", bytes))
    }

    /// Brings a body here that the platform still holds, so that it reads like any other.
    #[cfg(target_arch = "wasm32")]
    pub(crate) async fn gathered(mut self) -> Result<Self, crate::fault::Fault> {
        // A socket's handshake has no body, and the platform's response carries its other end.
        if self.status != 101
            && let Body::Raw(raw) = &self.body
        {
            self.body = Body::Bytes(raw.bytes().await?);
        }
        Ok(self)
    }

    pub(crate) fn error(status: u16, code: &str, message: &str) -> Self {
        let body = serde_json::json!({ "error": { "code": code, "message": message } });
        Self::bytes(status, "application/json", body.to_string().into_bytes())
    }

    /// Adds a header. A name or value that HTTP does not allow is left out when the response is sent.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((
            Cow::Owned(name.to_ascii_lowercase()),
            Cow::Owned(value.to_owned()),
        ));
        self
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_ref())
    }

    /// The body, if it is made of bytes here (a response passed through from elsewhere is not).
    #[must_use]
    pub fn body(&self) -> Option<&[u8]> {
        match &self.body {
            Body::Empty => Some(&[]),
            Body::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The body read as JSON.
    ///
    /// # Errors
    /// There is no such body, or it does not fit `T`.
    pub fn read_json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let bytes = self.body().unwrap_or_default();
        serde_json::from_slice(bytes)
            .map_err(|error| Error::internal(format!("the response does not fit: {error}")))
    }
}
