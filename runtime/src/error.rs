//! Errors, and how each failure crosses a call, a route and a storage operation.

pub(crate) mod fault;

use std::borrow::Cow;
use std::convert::Infallible;
use std::fmt;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::time::whole_millis;

/// The status and the code of a failure, as sent over HTTP.
pub(crate) type Told = (u16, &'static str);

/// Failures that reach a client directly, or through an object that called another.
pub(crate) mod told {
    use super::Told;

    pub(crate) const OVERLOADED: Told = (503, "overloaded");
    pub(crate) const RESET: Told = (503, "reset");
    pub(crate) const DISCONNECTED: Told = (503, "disconnected");
    pub(crate) const NO_SUCH_METHOD: Told = (501, "no_such_method");
    pub(crate) const UNDECODABLE: Told = (500, "undecodable");
    pub(crate) const TIMED_OUT: Told = (504, "timed_out");
    pub(crate) const CALL_CYCLE: Told = (508, "call_cycle");
    pub(crate) const STORAGE_UNAVAILABLE: Told = (503, "storage_unavailable");
    pub(crate) const CONFIGURATION: Told = (500, "configuration");
}

/// An error that a Durable Object's methods may return.
///
/// It crosses a call unchanged: the caller gets it as [`CallError::Application`]. An HTTP request
/// is answered with [`status`](Self::status) and the body `{"error": {"code": …, "message": …}}`.
/// The message is the error's `Display` text; its debug output never leaves the object.
///
/// ```
/// use anchorhold::ObjectError;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, Serialize, Deserialize, thiserror::Error)]
/// enum Withdrawal {
///     #[error("the balance is {balance}, less than {asked}")]
///     Insufficient { balance: i64, asked: i64 },
/// }
///
/// impl ObjectError for Withdrawal {
///     fn status(&self) -> u16 {
///         409
///     }
///     fn code(&self) -> std::borrow::Cow<'_, str> {
///         "insufficient".into()
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of a Durable Object's method",
    label = "needs `ObjectError`",
    note = "implement `anchorhold::ObjectError` for it (it needs `Serialize`, `Deserialize` and `Display`), or return `anchorhold::Error`"
)]
pub trait ObjectError: Serialize + DeserializeOwned + fmt::Display + 'static {
    /// Returns the HTTP status of the response when the method was reached by a route. It must be
    /// 400 to 599; any other is logged and sent as 500. The default is 400.
    fn status(&self) -> u16 {
        400
    }

    /// Returns a stable code for programs, in `snake_case`. The default is `"refused"`.
    fn code(&self) -> Cow<'_, str> {
        Cow::Borrowed("refused")
    }

    /// Returns the time after which a retry is useful. It is sent as the `Retry-After` header,
    /// rounded up to seconds. The default is none.
    fn retry_after(&self) -> Option<Duration> {
        None
    }
}

/// A ready-made error: a status, a code for programs and a message for humans.
///
/// ```
/// let error = anchorhold::Error::conflict("held", "the lock is held by ann");
/// assert_eq!(error.status(), 409);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) retry_after_ms: Option<u64>,
}

impl Error {
    /// Creates an error with an HTTP status, a code in `snake_case` and a message. The status must
    /// be 400 to 599; any other is logged and sent as 500.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// let error = Error::new(402, "payment_required", "the trial has ended");
    /// assert_eq!(error.code(), "payment_required");
    /// ```
    pub fn new(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into(),
            retry_after_ms: None,
        }
    }

    /// Creates an error with status 400: the input cannot be parsed or is out of range.
    pub fn bad_request(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(400, code, message)
    }

    /// Creates an error with status 401: the caller is not authenticated.
    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(401, "unauthorized", message)
    }

    /// Creates an error with status 403: the caller is not authorised.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(403, "forbidden", message)
    }

    /// Creates an error with status 404: the requested thing does not exist.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(404, "not_found", message)
    }

    /// Creates an error with status 409: the state does not allow the operation.
    pub fn conflict(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(409, code, message)
    }

    /// Creates an error with status 500: a fault of the object instead of the caller.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(500, "internal", message)
    }

    /// Creates an `Error` from any [`ObjectError`], with its status, code, message and retry time.
    ///
    /// ```
    /// # use anchorhold::{Error, ObjectError};
    /// # use serde::{Deserialize, Serialize};
    /// #[derive(Debug, Serialize, Deserialize, thiserror::Error)]
    /// #[error("the balance is too low")]
    /// struct Insufficient;
    ///
    /// impl ObjectError for Insufficient {}
    ///
    /// impl From<Insufficient> for Error {
    ///     fn from(error: Insufficient) -> Self {
    ///         Self::of(&error)
    ///     }
    /// }
    ///
    /// assert_eq!(Error::from(Insufficient).status(), 400);
    /// ```
    pub fn of<E: ObjectError>(error: &E) -> Self {
        Self {
            status: error.status(),
            code: error.code().into_owned(),
            message: error.to_string(),
            retry_after_ms: error.retry_after().map(whole_millis),
        }
    }

    /// Sets the time after which the caller should retry, which is sent as the `Retry-After`
    /// header.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// use std::time::Duration;
    ///
    /// let error = Error::new(429, "too_many_requests", "3 of 3 requests used")
    ///     .retry_after(Duration::from_secs(10));
    /// ```
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after_ms = Some(whole_millis(after));
        self
    }

    /// Returns the HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Returns the code for programs.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// Returns the message for humans.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl ObjectError for Error {
    fn status(&self) -> u16 {
        self.status
    }
    fn code(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.code)
    }
    fn retry_after(&self) -> Option<Duration> {
        self.retry_after_ms.map(Duration::from_millis)
    }
}

/// A storage operation that was refused or failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// A documented limit of the platform was exceeded. Nothing was written.
    #[error("{0}")]
    Limit(String),
    /// The platform does not allow this use of the operation. Nothing was written.
    #[error("{0}")]
    Usage(String),
    /// SQLite refused the statement.
    #[error("SQL: {0}")]
    Sql(String),
    /// A stored value (or a column of a row) does not fit the requested type.
    #[error("{subject} cannot be read: {message}")]
    Undecodable {
        /// The key, field or column.
        subject: String,
        /// The reason why it did not fit.
        message: String,
    },
    /// The value's `Serialize` implementation failed.
    #[error("{subject} cannot be stored: {message}")]
    Unencodable {
        /// The key or field.
        subject: String,
        /// The implementation's error message.
        message: String,
    },
    /// The disk failed or is full. The object is reset; nothing that was acknowledged is lost.
    #[error("storage failed: {0}")]
    Io(String),
}

impl StorageError {
    pub(crate) fn told(&self) -> Told {
        match self {
            Self::Limit(_) => (413, "storage_limit"),
            Self::Io(_) => told::STORAGE_UNAVAILABLE,
            _ => (500, "storage"),
        }
    }
}

impl ObjectError for StorageError {
    fn status(&self) -> u16 {
        self.told().0
    }
    fn code(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.told().1)
    }
}

impl From<StorageError> for Error {
    fn from(error: StorageError) -> Self {
        let (status, code) = error.told();
        Self::new(status, code, error.to_string())
    }
}

/// The reason why a call to an object returned no result.
///
/// `E` is the error type of the called method; for methods that cannot fail it is [`Infallible`].
/// The kinds follow Cloudflare's documentation of Durable Object errors (the properties
/// `retryable`, `overloaded` and `durableObjectReset` of an exception).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError<E = Infallible> {
    /// The method itself returned this error. The turn was rolled back.
    #[error("{0}")]
    Application(E),
    /// The object did not start: its `#[init]` returned this error. The method did not run.
    #[error("the object did not start: {0}")]
    Start(Error),
    /// The object's queue is full. Do not retry immediately: that increases the load.
    #[error("the object is overloaded: {0}")]
    Overloaded(String),
    /// The object was reset during the call (a panic, a failed commit or an abort). The call may or
    /// may not have taken effect.
    #[error("the object was reset: {0}")]
    Reset(String),
    /// The object could not be reached, or the connection broke.
    #[error("the object could not be reached: {0}")]
    Disconnected(String),
    /// The object's running version does not have this method: caller and object differ in version.
    #[error("{0}")]
    NoSuchMethod(String),
    /// The arguments or the result did not fit the types of the other side.
    #[error("{0}")]
    Undecodable(String),
    /// There was no response within the time limit.
    #[error("{0}")]
    TimedOut(String),
    /// The call would have waited for itself. The text shows the cycle.
    #[error("call cycle: {0}")]
    CallCycle(String),
    /// The object's storage failed; see [`StorageError`].
    #[error("{0}")]
    Storage(String),
    /// The call could not be made with this configuration. The class has no binding, or this host
    /// does not support the placement.
    #[error("{0}")]
    Configuration(String),
}

impl<E> CallError<E> {
    /// Returns `true` if the same call may be retried, after a pause and on the same stub.
    ///
    /// The rules are those of Cloudflare's error-handling guide. `true` if the object moved or
    /// restarted, `false` if the call would fail again, and `false` for overload. A call that was
    /// reset may have taken effect: retry only if it is idempotent.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// async fn value<Counter: DurableObject>(counter: &Counter::Stub) -> Result<Response, CallError> {
    ///     let request = || Request::new("GET", "/");
    ///     match counter.fetch(request()).await {
    ///         Err(error) if error.is_retryable() => counter.fetch(request()).await,
    ///         result => result,
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Reset(_) | Self::Disconnected(_))
    }
}

/// Lets a method that calls other objects pass their errors on with `?`.
impl<E: ObjectError> From<CallError<E>> for Error {
    fn from(error: CallError<E>) -> Self {
        match error {
            CallError::Application(error) => Self::of(&error),
            other => other.into_error(),
        }
    }
}

impl From<CallError<Infallible>> for Error {
    fn from(error: CallError<Infallible>) -> Self {
        error.into_error()
    }
}

impl<E: fmt::Display> CallError<E> {
    fn into_error(self) -> Error {
        let (status, code) = match &self {
            Self::Start(error) => return error.clone(),
            Self::Application(_) => (400, "refused"),
            Self::Overloaded(_) => told::OVERLOADED,
            Self::Reset(_) => told::RESET,
            Self::Disconnected(_) => told::DISCONNECTED,
            Self::NoSuchMethod(_) => told::NO_SUCH_METHOD,
            Self::Undecodable(_) => told::UNDECODABLE,
            Self::TimedOut(_) => told::TIMED_OUT,
            Self::CallCycle(_) => told::CALL_CYCLE,
            Self::Storage(_) => told::STORAGE_UNAVAILABLE,
            Self::Configuration(_) => told::CONFIGURATION,
        };
        Error::new(status, code, self.to_string())
    }
}
