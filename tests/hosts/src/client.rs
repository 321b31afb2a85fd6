//! Requests.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use ureq::Agent;
use ureq::http::{HeaderMap, Request};

/// Sends requests to an app, or to paths below a prefix.
#[derive(Clone, Debug)]
pub struct Client {
    base: String,
    agent: Agent,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Client {
    pub(crate) fn new(base: &str) -> Self {
        Self::patient(base, Duration::from_secs(90))
    }

    /// Returns the same client with this limit for an answer.
    #[must_use]
    pub fn within(&self, patience: Duration) -> Self {
        Self::patient(&self.base, patience)
    }

    fn patient(base: &str, patience: Duration) -> Self {
        let configuration = Agent::config_builder()
            .http_status_as_error(false)
            // The other side may have closed a kept connection when it is reused.
            .max_idle_connections(0)
            .max_redirects(0)
            .allow_non_standard_methods(true)
            .timeout_global(Some(patience))
            .build();
        Self {
            base: base.to_owned(),
            agent: configuration.into(),
        }
    }

    /// Returns the address of the app, or of the prefix.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Returns a client for the paths below a prefix.
    #[must_use]
    pub fn at(&self, path: &str) -> Self {
        Self {
            base: format!("{}{path}", self.base),
            agent: self.agent.clone(),
        }
    }

    /// Sends a request. An error means that the connection broke.
    ///
    /// # Errors
    /// Fails if the app cannot be reached, or disconnects before the answer is complete.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Result<Answer, String> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let invalid = |error: ureq::http::Error| format!("{method} {path}: {error}");
        let response = match body {
            Some(body) => self.agent.run(request.body(body).map_err(invalid)?),
            None => self.agent.run(request.body(()).map_err(invalid)?),
        };
        let mut response = response.map_err(|error| format!("{method} {path}: {error}"))?;
        let body = response
            .body_mut()
            .with_config()
            .limit(256 << 20)
            .read_to_vec()
            .map_err(|error| format!("{method} {path}: {error}"))?;
        Ok(Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body,
        })
    }

    /// Like [`send`](Self::send), with a JSON body.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_json(
        &self,
        method: &str,
        path: &str,
        body: &impl Serialize,
    ) -> Result<Answer, String> {
        let body = serde_json::to_vec(body).expect("the body has a form in JSON");
        self.send(
            method,
            path,
            &[("content-type", "application/json")],
            Some(&body),
        )
    }

    /// # Panics
    /// Panics if the app cannot be reached.
    #[must_use]
    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], None)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// # Panics
    /// Panics if the app cannot be reached.
    pub fn post(&self, path: &str, body: impl Serialize) -> Answer {
        self.send_json("POST", path, &body)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// # Panics
    /// Panics if the app cannot be reached.
    pub fn put(&self, path: &str, body: impl Serialize) -> Answer {
        self.send_json("PUT", path, &body)
            .unwrap_or_else(|error| panic!("{error}"))
    }
}

impl Answer {
    /// # Panics
    /// Panics if the status is different.
    #[track_caller]
    #[allow(
        clippy::must_use_candidate,
        reason = "the status is often all that matters"
    )]
    pub fn expect_status(self, status: u16) -> Self {
        assert_eq!(self.status, status, "the answer is {:?}", self.text());
        self
    }

    /// Returns the body of a 200 or 201.
    ///
    /// # Panics
    /// Panics if the status is different, or if the body does not fit.
    #[must_use]
    #[track_caller]
    pub fn json<T: DeserializeOwned>(self) -> T {
        assert!(
            matches!(self.status, 200 | 201),
            "{} {:?}",
            self.status,
            self.text()
        );
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {:?}", self.text()))
    }

    /// # Panics
    /// Panics if the status is not that of success without content.
    #[track_caller]
    pub fn done(self) {
        assert_eq!(self.status, 204, "the answer is {:?}", self.text());
    }

    /// Returns the `code` of an error's body.
    #[must_use]
    pub fn error_code(&self) -> Option<String> {
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        Some(body.get("error")?.get("code")?.as_str()?.to_owned())
    }

    /// Returns the `message` of an error's body.
    #[must_use]
    pub fn error_message(&self) -> Option<String> {
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        Some(body.get("error")?.get("message")?.as_str()?.to_owned())
    }

    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns the beginning of the body, for messages.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body)
            .chars()
            .take(2_000)
            .collect()
    }
}
