//! Requests of pages of other origins: which are refused, and which responses these pages may read
//! (CORS).

use std::borrow::Cow;

use crate::engine::routing::is_upgrade;
use crate::error::fault::Fault;
use crate::http::{Header, Request, Response, header_value, origin};

/// How long a browser may reuse the answer to a preflight request, in seconds.
const PREFLIGHT_AGE: &str = "600";
const ALLOW_ORIGIN: &str = "access-control-allow-origin";
const REQUEST_METHOD: &str = "access-control-request-method";
const REQUEST_HEADERS: &str = "access-control-request-headers";

/// What pages of other origins may do.
#[derive(Default)]
pub(crate) struct CrossOrigin {
    pub(super) allowed: Vec<String>,
    pub(super) with_credentials: bool,
    pub(super) exposed: Vec<&'static str>,
}

impl CrossOrigin {
    /// Refuses what pages of other origins may not send (S1). A page of the app's own host is
    /// recognised by `Sec-Fetch-Site`, which a page cannot set, or by comparing `Origin` and
    /// `Host`. Other schemes than HTTP's are not the host's own.
    pub(crate) fn check(&self, request: &Request) -> Result<(), Fault> {
        let method = request.method();
        let is_upgrade = is_upgrade(request);
        if matches!(&*method, "GET" | "HEAD" | "OPTIONS") && !is_upgrade {
            return Ok(());
        }
        let site = request.header("sec-fetch-site");
        if matches!(site.as_deref(), Some("same-origin" | "none")) {
            return Ok(());
        }
        let origin = request.header("origin");
        let is_trusted = match (&origin, &site) {
            (None, None) => true,
            (None, Some(_)) => false,
            (Some(origin), site) => {
                let is_own = |host: String| site.is_none() && origin::is_page_of(origin, &host);
                self.allows(origin) || request.header("host").is_some_and(is_own)
            }
        };
        if is_trusted {
            return Ok(());
        }
        let origin = origin.as_deref().unwrap_or("another origin");
        Err(Fault::Forbidden(if is_upgrade {
            format!("pages of {origin} may not open sockets here")
        } else {
            format!("pages of {origin} may not send {method} requests here")
        }))
    }

    /// Answers OPTIONS for a path with these methods. A preflight request is answered for pages of
    /// an allowed origin only.
    pub(super) fn options(&self, request: &Request, allow: &str) -> Result<Response, Fault> {
        let answer = Response::empty(204).with_header("allow", allow);
        let Some(origin) = request.header("origin") else {
            return Ok(answer);
        };
        if request.header(REQUEST_METHOD).is_none() {
            return Ok(answer);
        }
        if !self.allows(&origin) {
            return Err(Fault::Forbidden(format!(
                "pages of {origin} may not send requests with these methods or headers here"
            )));
        }
        let answer = answer
            .with_header("access-control-allow-methods", allow)
            .with_header("access-control-max-age", PREFLIGHT_AGE);
        Ok(match request.header(REQUEST_HEADERS) {
            Some(names) if header_value(REQUEST_HEADERS, &names).is_ok() => {
                answer.with_header("access-control-allow-headers", &names)
            }
            _ => answer,
        })
    }

    /// Returns the headers that let the page which sent a request read the response. The response
    /// to another page differs in them, which caches must know.
    pub(crate) fn headers(&self, request: &Request) -> Vec<Header> {
        let CrossOrigin {
            allowed,
            with_credentials,
            exposed,
        } = self;
        if allowed.is_empty() {
            return Vec::new();
        }
        let mut headers: Vec<Header> = vec![("vary".into(), "Origin".into())];
        let Some(origin) = request.header("origin") else {
            return headers;
        };
        if !self.allows(&origin) {
            return headers;
        }
        headers.push((ALLOW_ORIGIN.into(), Cow::Owned(origin)));
        if *with_credentials {
            headers.push(("access-control-allow-credentials".into(), "true".into()));
        }
        if !exposed.is_empty() {
            let exposed = exposed.join(", ");
            headers.push(("access-control-expose-headers".into(), exposed.into()));
        }
        headers
    }

    fn allows(&self, origin: &str) -> bool {
        let mut allowed = self.allowed.iter();
        allowed.any(|allowed| allowed.eq_ignore_ascii_case(origin))
    }
}

impl Response {
    /// Adds the headers for pages of other origins. A handler that sets them itself decides alone,
    /// and a handshake has none.
    pub(crate) fn with_cross_origin_headers(mut self, headers: Vec<Header>) -> Self {
        if self.status != 101 && self.header(ALLOW_ORIGIN).is_none() {
            self.headers.extend(headers);
        }
        self
    }
}
