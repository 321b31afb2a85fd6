//! Answers in the form in which HTTP sends them. Bounds how much of them may wait for their
//! readers.

use hyper::body::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use tokio::sync::watch;

use super::answer_body::AnswerBody;
use super::budget::{Budget, Share};
use crate::error::fault::Fault;
use crate::http::{Body, Header, Response};

/// How many bytes the answers of one shard may hold together until their readers have taken them.
/// An answer beyond this limit becomes a 503.
const MAX_ANSWERS: usize = 128 * 1024 * 1024;
/// Answers up to this size are not counted, because the number of callers bounds them.
pub(in super::super) const SMALL: usize = 8 * 1024;

pub(super) type HttpResponse = hyper::Response<AnswerBody>;

/// The answers that wait for the readers of one shard.
#[derive(Clone)]
pub(in super::super) struct Answers(Budget);

impl Answers {
    pub(super) fn new() -> Self {
        Self::with_room(MAX_ANSWERS)
    }

    pub(in super::super) fn with_room(bytes: usize) -> Self {
        Self(Budget::new(bytes))
    }

    /// Takes room for this many bytes.
    pub(super) fn take(&self, bytes: usize) -> Result<Share, Fault> {
        self.0.take(bytes).ok_or_else(answers_are_full)
    }

    /// Converts an answer to its form on the wire. An answer becomes a 503 if there is no room for
    /// it among those that wait for their readers.
    pub(super) fn to_http(
        &self,
        mut response: Response,
        draining: &watch::Sender<bool>,
    ) -> HttpResponse {
        let bytes = match std::mem::replace(&mut response.body, Body::Empty) {
            Body::Bytes(bytes) => bytes,
            Body::Stream(chunks) => {
                let chunks = AnswerBody::chunks(chunks, self.0.clone(), draining);
                return with_body(response, chunks);
            }
            Body::Empty | Body::Upgrade(_) => Vec::new(),
        };
        if bytes.len() <= SMALL {
            return with_body(response, Bytes::from(bytes).into());
        }
        match self.take(bytes.len()) {
            Ok(share) => with_body(response, share.holding(bytes).into()),
            Err(full) => {
                drop(bytes);
                self.to_http(full.into_response(), draining)
            }
        }
    }
}

/// Too many bytes are held for slow readers.
fn answers_are_full() -> Fault {
    Fault::Overloaded(format!(
        "unread responses are limited to {MAX_ANSWERS} bytes in total; try again later"
    ))
}

pub(super) fn with_body(response: Response, body: AnswerBody) -> HttpResponse {
    let Response {
        status, headers, ..
    } = response;
    let mut http = hyper::Response::new(body);
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
    append(&mut http, headers);
    http
}

/// Adds the headers of a handler's answer.
pub(super) fn append(http: &mut HttpResponse, headers: Vec<Header>) {
    for (name, value) in headers {
        // The host sets these itself. Others would break the connection's framing.
        if matches!(&*name, "content-length" | "transfer-encoding") {
            continue;
        }
        match (
            HeaderName::try_from(name.as_ref()),
            HeaderValue::from_str(&value),
        ) {
            (Ok(name), Ok(value)) => drop(http.headers_mut().append(name, value)),
            // An invalid header comes from the outside world: those that a handler sets were
            // checked.
            _ => tracing::warn!(
                name = name.as_ref(),
                "a header that HTTP does not allow is left out"
            ),
        }
    }
}
