//! How a lock refuses.

use std::borrow::Cow;

use anchorhold::{Error, ObjectError, StorageError, Timestamp};
use serde::{Deserialize, Serialize};

/// Why a lock did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// The lock was held by another caller when the waiting time was over. Code `held`.
    #[error("{0}")]
    Held(Obstacle),
    /// The lease does not live: it expired, was released or broken, or never was. Stop using what
    /// the lock protects. Code `lost`.
    #[error(
        "no living lease has this secret: it expired, was released or was broken; acquire the lock again"
    )]
    Lost,
    /// The waiting request was taken back, with `cancel` or because its caller hung up. Code
    /// `cancelled`.
    #[error("the request was cancelled while it waited")]
    Cancelled,
    /// The same request was made again while this call waited; the newer call waits in its place.
    /// Code `superseded`.
    #[error("the same request id came again, and that call took this one's place in the queue")]
    Superseded,
    /// The request id is in use for another holder or mode. Code `request_conflict`.
    #[error(
        "`request_id` is in use by a request of another holder or mode; give each request its own"
    )]
    RequestConflict,
    /// As many requests wait as the queue takes. Code `overloaded`.
    #[error("{0} requests wait already, which is the limit; try again later")]
    Overloaded(usize),
    /// An input is out of its range; the text names the field. Code `bad_request`.
    #[error("{0}")]
    Invalid(String),
    /// The lock's storage failed; nothing was changed.
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

/// What stands between a request and the lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Obstacle {
    /// A lease lives.
    #[error("the lock is held by `{holder}` until {expires_at}{}", own_lease(*own))]
    Lease {
        /// Its holder; the newest of several.
        holder: String,
        /// When the last of them ends unless renewed.
        expires_at: Timestamp,
        /// The request came from a holder of the same name.
        own: bool,
    },
    /// A lease expired that asked for a lock-delay.
    #[error("the last lease expired, and its lock-delay keeps the lock until {until}")]
    Delay {
        /// When it ends.
        until: Timestamp,
    },
    /// Others came before.
    #[error("{waiting} requests came before this one")]
    Queue {
        /// How many.
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
