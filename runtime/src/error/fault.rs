//! The failure of one event, in the form that crosses threads and machines.
#![allow(missing_docs, reason = "the vocabulary of generated code")]

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::codec::message_pack;
use crate::error::{CallError, Error, ObjectError, StorageError, Told, told};
use crate::time::whole_millis;

/// A method's own error: encoded for a typed caller, and summarised for HTTP and JavaScript.
#[derive(Clone, Debug, PartialEq)]
pub struct ApplicationFault {
    pub(crate) body: Vec<u8>,
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) retry_after_ms: Option<u64>,
}

/// The reason why an event has no result. Long content is boxed, because results move often and
/// reserve space for a fault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "WireFault", into = "WireFault")]
pub enum Fault {
    Application(Box<ApplicationFault>),
    /// The error of the object's `#[init]`. Every waiting caller gets it. The method did not run.
    Start(Box<ApplicationFault>),
    /// The input is invalid: HTTP 400.
    BadRequest(String),
    /// The route, object or other thing does not exist: HTTP 404.
    NotFound(String),
    /// The path exists for other methods: HTTP 405 with `Allow`.
    MethodNotAllowed {
        allow: String,
    },
    /// A socket route without an upgrade: HTTP 426.
    UpgradeRequired,
    Forbidden(String),
    /// A documented size was exceeded: HTTP 413.
    TooLarge(String),
    /// The body has a content type that the route does not take: HTTP 415.
    UnsupportedMediaType(String),
    NoSuchMethod(String),
    Undecodable(String),
    Overloaded(String),
    Reset(String),
    /// The handler panicked. The message of the panic is only in the object's log.
    Panicked,
    Disconnected(String),
    TimedOut(String),
    CallCycle(String),
    Storage(StorageError),
    Configuration(String),
}

/// Returns the status of an error as it is sent: 500 in place of one that is not an error status.
fn status_of_error(status: u16) -> u16 {
    if (400..=599).contains(&status) {
        return status;
    }
    tracing::error!(
        status,
        "the status of an error must be 400 to 599; 500 was sent"
    );
    500
}

/// A method that cannot fail cannot have sent an error.
pub(crate) fn expects_none<E>(_: &[u8]) -> Result<E, String> {
    Err("the caller knows no error of this method".to_owned())
}

impl Fault {
    pub(crate) fn application<E: ObjectError>(error: &E) -> Self {
        match message_pack::encode(error) {
            Ok(body) => Self::Application(Box::new(ApplicationFault {
                body,
                status: status_of_error(error.status()),
                code: error.code().into_owned(),
                message: error.to_string(),
                retry_after_ms: error.retry_after().map(whole_millis),
            })),
            Err(message) => {
                Self::Undecodable(format!("the method's error cannot be encoded: {message}"))
            }
        }
    }

    /// Returns the status and the kind. The kind is the HTTP code, unless the application chose
    /// one. It also identifies the fault in transit, except for storage, some of whose kinds share
    /// a code.
    fn told(&self) -> Told {
        match self {
            Self::Application(fault) => (fault.status, "application"),
            Self::Start(fault) => (fault.status, "start"),
            Self::BadRequest(_) => (400, "bad_request"),
            Self::NotFound(_) => (404, "not_found"),
            Self::MethodNotAllowed { .. } => (405, "method_not_allowed"),
            Self::UpgradeRequired => (426, "upgrade_required"),
            Self::Forbidden(_) => (403, "forbidden"),
            Self::TooLarge(_) => (413, "too_large"),
            Self::UnsupportedMediaType(_) => (415, "unsupported_media_type"),
            Self::NoSuchMethod(_) => told::NO_SUCH_METHOD,
            Self::Undecodable(_) => told::UNDECODABLE,
            Self::Overloaded(_) => told::OVERLOADED,
            Self::Reset(_) => told::RESET,
            Self::Panicked => (500, "panicked"),
            Self::Disconnected(_) => told::DISCONNECTED,
            Self::TimedOut(_) => told::TIMED_OUT,
            Self::CallCycle(_) => told::CALL_CYCLE,
            Self::Storage(error) => error.told(),
            Self::Configuration(_) => told::CONFIGURATION,
        }
    }

    /// Returns the status, code and message as sent over HTTP and as a JavaScript error.
    pub(crate) fn summary(&self) -> (u16, &str, String) {
        let (status, code) = self.told();
        let message = match self {
            Self::Application(fault) | Self::Start(fault) => {
                return (status, &fault.code, fault.message.clone());
            }
            Self::BadRequest(message)
            | Self::NotFound(message)
            | Self::Forbidden(message)
            | Self::TooLarge(message)
            | Self::UnsupportedMediaType(message)
            | Self::NoSuchMethod(message)
            | Self::Undecodable(message)
            | Self::Overloaded(message)
            | Self::Reset(message)
            | Self::Disconnected(message)
            | Self::TimedOut(message)
            | Self::Configuration(message) => message.clone(),
            Self::MethodNotAllowed { allow } => format!("this path answers {allow}"),
            Self::UpgradeRequired => {
                "this path is a WebSocket: send a GET with `Upgrade: websocket`".to_owned()
            }
            Self::Panicked => "the object's handler panicked; its turn was rolled back".to_owned(),
            Self::CallCycle(cycle) => format!("call cycle: {cycle}"),
            Self::Storage(error) => error.to_string(),
        };
        (status, code, message)
    }

    /// Converts the failure for a handler that reads a body.
    pub(crate) fn into_error(self) -> Error {
        let (status, code, message) = self.summary();
        Error::new(status, code, message)
    }

    /// Converts the failure for a caller of a method that cannot fail.
    pub(crate) fn into_plain_call_error(self) -> CallError {
        self.into_call_error(expects_none)
    }

    /// Converts the failure for a caller that decodes the method's own error with `decode`.
    pub(crate) fn into_call_error<E>(
        self,
        decode: impl FnOnce(&[u8]) -> Result<E, String>,
    ) -> CallError<E> {
        match self {
            Self::Application(fault) => match decode(&fault.body) {
                Ok(error) => CallError::Application(error),
                Err(message) => CallError::Undecodable(format!(
                    "the method failed ({}), and its error does not match the caller's type: {message}",
                    fault.message
                )),
            },
            Self::Start(fault) => CallError::Start(Error {
                status: fault.status,
                code: fault.code,
                message: fault.message,
                retry_after_ms: fault.retry_after_ms,
            }),
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
            | Self::TooLarge(_)
            | Self::UnsupportedMediaType(_)) => CallError::Undecodable(other.summary().2),
        }
    }
}

impl From<StorageError> for Fault {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

/// A fault in transit. It is flat, because a decoder derived for the enum itself took 57 kB of
/// every bundle, and because either side's version may know more kinds.
#[derive(Serialize, Deserialize)]
struct WireFault {
    kind: Cow<'static, str>,
    text: String,
    /// A second text, for the kinds that have one.
    #[serde(default)]
    detail: String,
    #[serde(default)]
    application: Option<(Vec<u8>, u16, Option<u64>)>,
}

impl From<Fault> for WireFault {
    fn from(fault: Fault) -> Self {
        let (_, kind) = fault.told();
        let wire = |kind: &'static str, text, detail, application| Self {
            kind: kind.into(),
            text,
            detail,
            application,
        };
        let plain = |kind, text| wire(kind, text, String::new(), None);
        match fault {
            Fault::Application(fault) | Fault::Start(fault) => {
                let application = (fault.body, fault.status, fault.retry_after_ms);
                wire(kind, fault.message, fault.code, Some(application))
            }
            Fault::UpgradeRequired | Fault::Panicked => plain(kind, String::new()),
            Fault::MethodNotAllowed { allow: text }
            | Fault::BadRequest(text)
            | Fault::NotFound(text)
            | Fault::Forbidden(text)
            | Fault::TooLarge(text)
            | Fault::UnsupportedMediaType(text)
            | Fault::NoSuchMethod(text)
            | Fault::Undecodable(text)
            | Fault::Overloaded(text)
            | Fault::Reset(text)
            | Fault::Disconnected(text)
            | Fault::TimedOut(text)
            | Fault::CallCycle(text)
            | Fault::Configuration(text) => plain(kind, text),
            Fault::Storage(StorageError::Limit(text)) => plain("storage_limit", text),
            Fault::Storage(StorageError::Usage(text)) => plain("storage_usage", text),
            Fault::Storage(StorageError::Sql(text)) => plain("storage_sql", text),
            Fault::Storage(StorageError::Io(text)) => plain("storage_io", text),
            Fault::Storage(StorageError::Undecodable { subject, message }) => {
                wire("storage_undecodable", message, subject, None)
            }
            Fault::Storage(StorageError::Unencodable { subject, message }) => {
                wire("storage_unencodable", message, subject, None)
            }
        }
    }
}

impl From<WireFault> for Fault {
    fn from(wire: WireFault) -> Self {
        let WireFault {
            kind,
            text,
            detail,
            application,
        } = wire;
        match (&*kind, application) {
            (kind @ ("application" | "start"), Some((body, status, retry_after_ms))) => {
                let fault = Box::new(ApplicationFault {
                    body,
                    status: status_of_error(status),
                    code: detail,
                    message: text,
                    retry_after_ms,
                });
                if kind == "start" {
                    Self::Start(fault)
                } else {
                    Self::Application(fault)
                }
            }
            ("bad_request", _) => Self::BadRequest(text),
            ("not_found", _) => Self::NotFound(text),
            ("method_not_allowed", _) => Self::MethodNotAllowed { allow: text },
            ("upgrade_required", _) => Self::UpgradeRequired,
            ("forbidden", _) => Self::Forbidden(text),
            ("too_large", _) => Self::TooLarge(text),
            ("unsupported_media_type", _) => Self::UnsupportedMediaType(text),
            ("no_such_method", _) => Self::NoSuchMethod(text),
            ("undecodable", _) => Self::Undecodable(text),
            ("overloaded", _) => Self::Overloaded(text),
            ("reset", _) => Self::Reset(text),
            ("panicked", _) => Self::Panicked,
            ("disconnected", _) => Self::Disconnected(text),
            ("timed_out", _) => Self::TimedOut(text),
            ("call_cycle", _) => Self::CallCycle(text),
            ("configuration", _) => Self::Configuration(text),
            ("storage_limit", _) => Self::Storage(StorageError::Limit(text)),
            ("storage_usage", _) => Self::Storage(StorageError::Usage(text)),
            ("storage_sql", _) => Self::Storage(StorageError::Sql(text)),
            ("storage_io", _) => Self::Storage(StorageError::Io(text)),
            ("storage_undecodable", _) => Self::Storage(StorageError::Undecodable {
                subject: detail,
                message: text,
            }),
            ("storage_unencodable", _) => Self::Storage(StorageError::Unencodable {
                subject: detail,
                message: text,
            }),
            (unknown, _) => {
                Self::Undecodable(format!("a failure of an unknown kind `{unknown}`: {text}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_survives_the_wire() {
        let text = || "why".to_owned();
        let application = Box::new(ApplicationFault {
            body: vec![1, 2],
            status: 409,
            code: "held".to_owned(),
            message: text(),
            retry_after_ms: Some(7),
        });
        let faults = [
            Fault::Application(application.clone()),
            Fault::Start(application),
            Fault::BadRequest(text()),
            Fault::NotFound(text()),
            Fault::MethodNotAllowed {
                allow: "GET".to_owned(),
            },
            Fault::UpgradeRequired,
            Fault::Forbidden(text()),
            Fault::TooLarge(text()),
            Fault::UnsupportedMediaType(text()),
            Fault::NoSuchMethod(text()),
            Fault::Undecodable(text()),
            Fault::Overloaded(text()),
            Fault::Reset(text()),
            Fault::Panicked,
            Fault::Disconnected(text()),
            Fault::TimedOut(text()),
            Fault::CallCycle(text()),
            Fault::Configuration(text()),
            Fault::Storage(StorageError::Limit(text())),
            Fault::Storage(StorageError::Usage(text())),
            Fault::Storage(StorageError::Sql(text())),
            Fault::Storage(StorageError::Io(text())),
            Fault::Storage(StorageError::Undecodable {
                subject: text(),
                message: text(),
            }),
            Fault::Storage(StorageError::Unencodable {
                subject: text(),
                message: text(),
            }),
        ];
        for fault in faults {
            let bytes = message_pack::encode(&fault).unwrap();
            assert_eq!(message_pack::decode::<Fault>(&bytes).unwrap(), fault);
        }
    }

    #[test]
    fn a_kind_of_a_later_version_is_still_reported() {
        let later = std::collections::BTreeMap::from([("kind", "melted"), ("text", "hot")]);
        let fault: Fault = message_pack::decode(&message_pack::encode(&later).unwrap()).unwrap();
        assert_eq!(
            fault,
            Fault::Undecodable("a failure of an unknown kind `melted`: hot".to_owned())
        );
    }
}
