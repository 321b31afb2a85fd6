//! The errors of a lock.

use std::borrow::Cow;

use anchorhold::{Error, ObjectError, StorageError, Timestamp};
use serde::{Deserialize, Serialize};

/// The reason why a lock refused a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// The lock was held by another caller when the waiting time was over. Code `held`.
    #[error("{0}")]
    Held(Obstacle),
    /// The lease is not active: it has expired, was released or broken, or never existed. Stop
    /// using the protected resource. Code `lost`.
    #[error(
        "no active lease has this secret: it expired, was released or was broken; acquire the lock again"
    )]
    Lost,
    /// The request was cancelled before it was answered: with `cancel`, because its caller
    /// disconnected, or because the lock was broken. Code `cancelled`.
    #[error("the request was cancelled while it waited")]
    Cancelled,
    /// The same request was made again while this call waited. The newer call takes its place in
    /// the queue. Code `superseded`.
    #[error("a newer call with the same `request_id` took this call's place in the queue")]
    Superseded,
    /// The request id is in use for another holder or mode. Code `request_conflict`.
    #[error(
        "`request_id` is in use by a request of another holder or mode; give each request its own"
    )]
    RequestConflict,
    /// The queue is full. Code `overloaded`.
    #[error("{0} requests are waiting, which is the limit; try again later")]
    Overloaded(usize),
    /// Too many requests of the same holder wait. Code `too_many_waiting`.
    #[error(
        "{0} requests of this `holder` are waiting, which is the limit; wait for their answers"
    )]
    TooManyWaiting(usize),
    /// An input is out of its range. The text names the field. Code `bad_request`.
    #[error("{0}")]
    Invalid(String),
    /// The lock's storage failed. Nothing was changed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl LockError {
    fn status_and_code(&self) -> (u16, Cow<'_, str>) {
        let (status, code) = match self {
            Self::Held(_) => (409, "held"),
            Self::Lost => (409, "lost"),
            Self::Cancelled => (409, "cancelled"),
            Self::Superseded => (409, "superseded"),
            Self::RequestConflict => (409, "request_conflict"),
            Self::Overloaded(_) => (503, "overloaded"),
            Self::TooManyWaiting(_) => (429, "too_many_waiting"),
            Self::Invalid(_) => (400, "bad_request"),
            Self::Storage(error) => return (error.status(), error.code()),
        };
        (status, Cow::Borrowed(code))
    }
}

impl ObjectError for LockError {
    fn status(&self) -> u16 {
        self.status_and_code().0
    }

    fn code(&self) -> Cow<'_, str> {
        self.status_and_code().1
    }
}

/// The reason why a request has to wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Obstacle {
    /// There is an active lease.
    #[error("the lock is held by `{holder}` until {expires_at}{}", own_lease(*own))]
    Lease {
        /// The holder of the newest lease.
        holder: String,
        /// When the last lease ends unless renewed.
        expires_at: Timestamp,
        /// `true` if the request came from a holder of the same name.
        own: bool,
    },
    /// A lease with a lock-delay expired.
    #[error("the last lease expired, and its lock-delay keeps the lock until {until}")]
    Delay {
        /// When the lock-delay ends.
        until: Timestamp,
    },
    /// Other requests came first.
    #[error("{waiting} requests came before this one")]
    Queue {
        /// The number of those requests.
        waiting: usize,
    },
}

fn own_lease(own: bool) -> &'static str {
    if own {
        " (the lock is not re-entrant: repeat a request with its `request_id`)"
    } else {
        ""
    }
}

impl From<LockError> for Error {
    fn from(error: LockError) -> Self {
        Self::of(&error)
    }
}
