//! What can go wrong, and how each failure crosses a call, a route and a storage operation.

use std::borrow::Cow;
use std::convert::Infallible;
use std::fmt;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::time::whole_millis;

/// The status and the code of a failure, as they leave over HTTP.
pub(crate) type Told = (u16, &'static str);

/// Failures that a client is told of directly, or by an object that called another.
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
/// It crosses a call intact (the caller gets it back as [`CallError::Application`]), and answers an
/// HTTP request with [`status`](Self::status) and the body
/// `{"error": {"code": …, "message": …}}`. The message is the error's `Display` text; debug
/// formatting never leaves the object.
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
    /// The HTTP status of the answer when the method was reached by a route: 400 to 599, and 400
    /// unless overridden. Another one is logged, and sent as 500.
    fn status(&self) -> u16 {
        400
    }

    /// A stable name for programs, in `snake_case`. `"refused"` unless overridden.
    fn code(&self) -> Cow<'_, str> {
        Cow::Borrowed("refused")
    }

    /// When it is worth trying again; becomes the `Retry-After` header, rounded up to seconds.
    fn retry_after(&self) -> Option<Duration> {
        None
    }
}

/// A ready-made error: a status, a code for programs and a message for people.
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
    /// An error with an HTTP status (400 to 599; another one is logged, and sent as 500), a code in `snake_case` and a message.
    pub fn new(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into(),
            retry_after_ms: None,
        }
    }

    /// 400: the input cannot be understood or is out of range.
    pub fn bad_request(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(400, code, message)
    }

    /// 401: the caller is not authenticated.
    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(401, "unauthorized", message)
    }

    /// 403: who is asking may not.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(403, "forbidden", message)
    }

    /// 404: no such thing.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(404, "not_found", message)
    }

    /// 409: the state does not allow it.
    pub fn conflict(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(409, code, message)
    }

    /// 500: a fault of the object, not of the caller.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(500, "internal", message)
    }

    /// Any error of an object: its status, its code, its message and when to try again.
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

    /// Says when to try again, as the `Retry-After` header does.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after_ms = Some(whole_millis(after));
        self
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The code for programs.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The message for people.
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
    /// The operation was used in a way that the platform does not allow. Nothing was written.
    #[error("{0}")]
    Usage(String),
    /// SQLite refused the statement.
    #[error("SQL: {0}")]
    Sql(String),
    /// What is stored under a key (or what came in a row) does not fit the type asked for.
    #[error("{subject} cannot be read: {message}")]
    Undecodable {
        /// The key, field or column.
        subject: String,
        /// What did not fit.
        message: String,
    },
    /// A value that its own `Serialize` implementation refused to write.
    #[error("{subject} cannot be stored: {message}")]
    Unencodable {
        /// The key or field.
        subject: String,
        /// What the implementation said.
        message: String,
    },
    /// The disk failed or is full; the object is reset, and nothing acknowledged is lost.
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

/// Why a call to an object did not bring its result.
///
/// `E` is the error type of the called method; methods that cannot fail have
/// [`Infallible`]. The kinds follow Cloudflare's documentation of Durable Object errors (the
/// properties `retryable`, `overloaded` and `durableObjectReset` of an exception).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError<E = Infallible> {
    /// The method itself returned this error. The turn was rolled back.
    #[error("{0}")]
    Application(E),
    /// The object did not start: its `#[init]` returned this error. The method did not run.
    #[error("the object did not start: {0}")]
    Start(Error),
    /// The object has more work than it takes. Do not retry at once: that makes it worse.
    #[error("the object is overloaded: {0}")]
    Overloaded(String),
    /// The object was reset during the call (a panic, a failed commit, an abort); the call may or
    /// may not have taken effect.
    #[error("the object was reset: {0}")]
    Reset(String),
    /// The object could not be reached, or the connection broke.
    #[error("the object could not be reached: {0}")]
    Disconnected(String),
    /// The object's running version has no such method: caller and object differ in version.
    #[error("{0}")]
    NoSuchMethod(String),
    /// Arguments or result did not fit the types of the other side.
    #[error("{0}")]
    Undecodable(String),
    /// No answer within the time allowed.
    #[error("{0}")]
    TimedOut(String),
    /// The call would have waited for itself; the text shows the cycle.
    #[error("call cycle: {0}")]
    CallCycle(String),
    /// The object's storage failed; see [`StorageError`].
    #[error("{0}")]
    Storage(String),
    /// The call could not be made as configured: no binding for the class, or a placement that
    /// this host does not offer.
    #[error("{0}")]
    Configuration(String),
}

impl<E> CallError<E> {
    /// Whether the same call is worth repeating, after a pause and on the same stub.
    ///
    /// True for what comes of an object that moved or restarted, false for what would fail again,
    /// and false for overload, as Cloudflare's error-handling guide asks. A call that was reset
    /// may have taken effect: repeat only what is idempotent.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Reset(_) | Self::Disconnected(_))
    }
}

/// So that a method which calls others passes their errors on with `?`.
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
