//! The failure of one event, in the form that crosses threads and machines.
#![allow(
    missing_docs,
    reason = "the vocabulary of generated code, which nobody else names"
)]

use serde::{Deserialize, Serialize};

use crate::error::{CallError, ObjectError, StorageError};
use crate::http::Response;
use crate::wire;

/// A method's own error: encoded for a typed caller, summarised for HTTP and JavaScript.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ApplicationFault {
    pub(crate) body: Vec<u8>,
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) retry_after_ms: Option<u64>,
}

/// Why an event has no result.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Fault {
    Application(ApplicationFault),
    /// The input does not fit: HTTP 400.
    BadRequest(String),
    /// No such route, object or thing: HTTP 404.
    NotFound(String),
    /// The path exists, the method does not: HTTP 405 with `Allow`.
    MethodNotAllowed {
        allow: String,
    },
    /// A socket route without an upgrade: HTTP 426.
    UpgradeRequired,
    Forbidden(String),
    /// More than a documented size: HTTP 413.
    TooLarge(String),
    NoSuchMethod(String),
    Undecodable(String),
    Overloaded(String),
    Reset(String),
    /// The handler panicked; the message of the panic stays in the object's log.
    Panicked,
    Disconnected(String),
    TimedOut(String),
    CallCycle(String),
    Storage(StorageError),
    Configuration(String),
}

impl Fault {
    pub(crate) fn application<E: ObjectError>(error: &E) -> Self {
        match wire::encode(error) {
            Ok(body) => Self::Application(ApplicationFault {
                body,
                status: error.status(),
                code: error.code().into_owned(),
                message: error.to_string(),
                retry_after_ms: error
                    .retry_after()
                    .map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
            }),
            Err(message) => {
                Self::Undecodable(format!("the method's error cannot be encoded: {message}"))
            }
        }
    }

    /// Status, code and message as they leave over HTTP and as a JavaScript error.
    pub(crate) fn summary(&self) -> (u16, &str, String) {
        let (status, code, message) = match self {
            Self::Application(fault) => (fault.status, fault.code.as_str(), fault.message.clone()),
            Self::BadRequest(message) => (400, "bad_request", message.clone()),
            Self::NotFound(message) => (404, "not_found", message.clone()),
            Self::MethodNotAllowed { allow } => (
                405,
                "method_not_allowed",
                format!("this path answers {allow}"),
            ),
            Self::UpgradeRequired => (
                426,
                "upgrade_required",
                "this path is a WebSocket: send `Upgrade: websocket`".to_owned(),
            ),
            Self::Forbidden(message) => (403, "forbidden", message.clone()),
            Self::TooLarge(message) => (413, "too_large", message.clone()),
            Self::NoSuchMethod(message) => (501, "no_such_method", message.clone()),
            Self::Undecodable(message) => (500, "undecodable", message.clone()),
            Self::Overloaded(message) => (503, "overloaded", message.clone()),
            Self::Reset(message) => (503, "reset", message.clone()),
            Self::Panicked => (
                500,
                "panicked",
                "the object's handler panicked; its turn was rolled back".to_owned(),
            ),
            Self::Disconnected(message) => (503, "disconnected", message.clone()),
            Self::TimedOut(message) => (504, "timed_out", message.clone()),
            Self::CallCycle(cycle) => (508, "call_cycle", format!("call cycle: {cycle}")),
            Self::Storage(error) => {
                let code = match error {
                    StorageError::Limit(_) => "storage_limit",
                    StorageError::Io(_) => "storage_unavailable",
                    _ => "storage",
                };
                (error.status(), code, error.to_string())
            }
            Self::Configuration(message) => (500, "configuration", message.clone()),
        };
        (status, code, message)
    }

    pub(crate) fn into_response(self) -> Response {
        let (status, code, message) = self.summary();
        let mut response = Response::error(status, code, &message);
        match &self {
            Self::MethodNotAllowed { allow } => response = response.with_header("allow", allow),
            Self::Application(fault) => {
                if let Some(after) = fault.retry_after_ms {
                    response =
                        response.with_header("retry-after", &after.div_ceil(1000).to_string());
                }
            }
            Self::Overloaded(_) => response = response.with_header("retry-after", "1"),
            Self::UpgradeRequired => response = response.with_header("upgrade", "websocket"),
            _ => {}
        }
        response
    }

    /// The same failure as a caller sees it that expects no error of the method's own.
    pub(crate) fn into_call_error<E>(
        self,
        decode: impl FnOnce(&[u8]) -> Result<E, String>,
    ) -> CallError<E> {
        match self {
            Self::Application(fault) => match decode(&fault.body) {
                Ok(error) => CallError::Application(error),
                Err(message) => CallError::Undecodable(format!(
                    "the method failed ({}), and its error does not fit the caller's type: {message}",
                    fault.message
                )),
            },
            Self::Overloaded(message) => CallError::Overloaded(message),
            Self::Reset(message) => CallError::Reset(message),
            Self::Panicked => {
                CallError::Reset("the handler panicked; its turn was rolled back".to_owned())
            }
            Self::Disconnected(message) => CallError::Disconnected(message),
            Self::NoSuchMethod(message) => CallError::NoSuchMethod(message),
            Self::Undecodable(message) | Self::BadRequest(message) => {
                CallError::Undecodable(message)
            }
            Self::TimedOut(message) => CallError::TimedOut(message),
            Self::CallCycle(cycle) => CallError::CallCycle(cycle),
            Self::Storage(error) => CallError::Storage(error.to_string()),
            Self::Configuration(message) => CallError::Configuration(message),
            other @ (Self::NotFound(_)
            | Self::MethodNotAllowed { .. }
            | Self::UpgradeRequired
            | Self::Forbidden(_)
            | Self::TooLarge(_)) => CallError::Undecodable(other.summary().2),
        }
    }
}

impl From<StorageError> for Fault {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}
